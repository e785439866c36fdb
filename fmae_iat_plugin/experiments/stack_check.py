# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What works with the packages of this environment: one row of docs/en/compatibility.md.

``tools/compat.sh`` makes an environment for each row. What is computed is compared with formulas,
so that a package that answers otherwise than the one developed with does not pass.
"""

import argparse
import contextlib
import io
import logging
import platform
import sys
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Callable, List, Optional

from fmae_iat_plugin.stack import check_stack

#: columns of the table after its name and its packages
CHECKS = ('models', 'heads', 'metric', 'training', 'resume')


def packages() -> str:
    """Python, the stack, and what else bites, with their versions.

    Raises:
        ImportError: See :func:`~fmae_iat_plugin.stack.check_stack`.
    """
    found = {'Python': platform.python_version(), **check_stack()}
    for name in ('numpy', 'setuptools'):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return ', '.join(f'{name} {version.split("+")[0]}' for name, version in found.items())


def check_models() -> None:
    """The AU classifier with its adversary and MAE: losses and gradients; the zoo's names."""
    import torch
    from mmengine.config import Config
    from mmpretrain import list_models
    from mmpretrain.registry import MODELS
    from mmpretrain.structures import DataSample

    from fmae_iat_plugin import config_path
    torch.manual_seed(0)
    images = torch.rand(3, 3, 48, 48)
    cfg = Config.fromfile(config_path('custom/own_table_tiny_48px.py'))
    cfg.model.adversary.head.num_subjects = 3
    network = MODELS.build(cfg.model)
    samples = [DataSample(subject=k).set_gt_score(torch.tensor([1., 0, float('nan'), 1, 0]))
               for k in range(3)]
    losses = network.loss(images, samples)
    _expect(set(losses) == {'loss_au', 'loss_id'}, f'losses {sorted(losses)}')
    sum(losses.values()).backward()
    _expect(all(p.grad is not None for p in network.parameters()), 'a parameter without gradient')
    mae = MODELS.build(Config.fromfile(config_path('_base_/models/mae_vit-tiny-48px.py')).model)
    loss, = mae.loss(images, samples).values()
    _expect(bool(torch.isfinite(loss)), f'the loss of MAE is {loss}')
    _expect('fmae-iat_vit-large_bp4d_fold1' in list_models('fmae-iat*'), 'the zoo is not listed')


def check_heads() -> None:
    """Loss of the AU head with a label missing, and the reversed gradient, by their formulas."""
    import torch
    from mmpretrain.registry import MODELS
    from mmpretrain.structures import DataSample
    head = MODELS.build(dict(type='AUHead', in_channels=2, num_classes=2))
    feature = torch.tensor([[.5, -1.], [2., .25]])
    labels = torch.tensor([[1., 0.], [float('nan'), 1.]])
    logits = head((feature, ))
    found = head.loss((feature, ), [DataSample().set_gt_score(row) for row in labels])['loss_au']
    p = logits.sigmoid()
    wanted = -(p[0, 0].log() + (1 - p[0, 1]).log() + p[1, 1].log()) / 3
    _expect(bool(torch.isclose(found, wanted)), f'the AU loss is {found}, not {wanted}')
    x = torch.ones(2, 2, requires_grad=True)
    reverse = MODELS.build(dict(type='GradReverse', scale=2.0))
    reverse((x, ))[-1].sum().backward()
    _expect(bool((x.grad == -2).all()), f'the reversed gradient is {x.grad}')


def check_metric() -> None:
    """F1 of two action units, one label missing, counted by hand."""
    import numpy as np
    from mmpretrain.registry import METRICS
    from mmpretrain.structures import DataSample
    metric = METRICS.build(dict(type='ActionUnitMetric'))
    metric.dataset_meta = dict(classes=('AU1', 'AU2'), aus=(1, 2))
    scores = np.array([[.9, .2], [.8, .7], [.1, .6]])
    labels = np.array([[1, 0], [0, 1], [1, np.nan]])
    for score, label in zip(scores, labels):
        sample = DataSample().set_gt_score(label).set_pred_score(score)
        metric.process(None, [dict(sample.to_dict(), img_path='a', subject=0)])
    found = metric.evaluate(3)
    f1 = found['f1/AU1'], found['f1/AU2']
    _expect(np.allclose(f1, (50, 100)), f'F1 is {f1}, not 50 and 100')


def check_training(folder: str, resume: bool = False) -> None:
    """One epoch on eight images, or a second one after it, from the checkpoint of the first."""
    import cv2
    import numpy as np
    from mmengine.config import Config
    from mmengine.hooks import Hook

    from fmae_iat_plugin import config_path
    from fmae_iat_plugin.engine import build_runner
    rng, rows = np.random.default_rng(0), ['image,subject,AU1,AU2']
    for number in range(8):
        cv2.imwrite(f'{folder}/{number}.png', rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
        rows.append(f'{number}.png,{"ABCD"[number % 4]},{number % 2},{rng.integers(2)}')
    Path(folder, 'annotation.csv').write_text('\n'.join(rows) + '\n', encoding='utf-8')
    cfg = Config.fromfile(config_path('custom/own_table_tiny_48px.py'))
    data = dict(data_root=folder, data_prefix='', aus=(1, 2), folds=2, held_out=0)
    loader = dict(num_workers=0, persistent_workers=False)
    cfg.merge_from_dict(dict(
        model=dict(head=dict(num_classes=2)), work_dir=f'{folder}/work', resume=resume,
        train_dataloader=dict(loader, batch_size=2, dataset=data),
        val_dataloader=dict(loader, dataset=dict(data, split='test')),
        test_dataloader=dict(loader, dataset=data), param_scheduler=dict(warmup_epochs=0),
        train_cfg=dict(max_epochs=1 + resume)))
    class Count(Hook):
        updates: List[int] = []

        def after_train_iter(self, runner, *_, **__):
            self.updates.append(runner.iter)

    runner = build_runner(cfg)
    runner.register_hook(Count())
    runner.train()
    _expect(Count.updates == ([2, 3] if resume else [0, 1]), f'it made the updates {Count.updates}')


def _expect(held: bool, words: str) -> None:
    if not held:
        raise ValueError(words)


def cell(check: Callable, *arguments) -> str:
    """``passed``, or the error in a line."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            check(*arguments)
    except Exception as error:  # noqa: BLE001  whatever a package of the stack raises is a cell
        return ' '.join(f'{type(error).__name__}: {error}'.split()).replace('|', '/')[:240]
    return 'passed'


def main(arguments: Optional[List[str]] = None) -> int:
    """Print the row; the exit code: 0, or 1 (a check failed)."""
    parser = argparse.ArgumentParser(
        description='What works with the packages of this environment: a row of a table.')
    parser.add_argument('name', help='of the row')
    name = parser.parse_args(arguments).name
    warnings.filterwarnings('ignore')
    logging.disable(logging.INFO)
    found = packages()
    with tempfile.TemporaryDirectory() as folder:
        cells = [cell(check_models), cell(check_heads), cell(check_metric),
                 cell(check_training, folder), cell(check_training, folder, True)]
    sys.stdout.write(f'| {name} | {found} | {" | ".join(cells)} |\n')
    return int(any(text != 'passed' for text in cells))
