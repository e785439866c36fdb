# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What works with the packages of this environment: one line of a table; see tools/compat.sh.

    python tools/misc/compat_check.py NAME
"""

import contextlib
import io
import logging
import platform
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings('ignore')
CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def versions() -> str:
    import numpy

    import fmae_iat_plugin  # noqa: F401
    from fmae_iat_plugin.stack import check_stack
    found = check_stack()
    return ', '.join(f'{name} {version}' for name, version in
                     dict(python=platform.python_version(), **found,
                          numpy=numpy.__version__).items())


def model() -> str:
    """Every config of fine-tuning at 48 px builds; the adversary's gradient is reversed."""
    import torch
    from mmengine.config import Config
    from mmpretrain.registry import MODELS
    from mmpretrain.structures import DataSample
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / 'custom/own_table_tiny_48px.py')
    cfg.model.adversary.head.num_subjects = 3
    network = MODELS.build(cfg.model)
    samples = [DataSample(subject=k).set_gt_score(torch.tensor([1., 0, float('nan'), 1, 0]))
               for k in range(3)]
    losses = network.loss(torch.rand(3, 3, 48, 48), samples)
    assert set(losses) == {'loss_au', 'loss_id'}, losses
    sum(losses.values()).backward()
    return 'passed'


def metric() -> str:
    """F1 of two action units, one label missing, against its formula."""
    import numpy as np
    from mmpretrain.registry import METRICS
    from mmpretrain.structures import DataSample
    made = METRICS.build(dict(type='ActionUnitMetric'))
    made.dataset_meta = dict(classes=('AU1', 'AU2'), aus=(1, 2))
    scores, labels = np.array([[.9, .2], [.8, .7], [.1, .6]]), np.array([[1, 0], [0, 1], [1, np.nan]])
    for score, label in zip(scores, labels):
        sample = DataSample().set_gt_score(label).set_pred_score(score)
        made.process(None, [dict(sample.to_dict(), img_path='a', subject=0)])
    found = made.evaluate(3)
    assert abs(found['f1/AU1'] - 50) < 1e-6 and abs(found['f1/AU2'] - 100) < 1e-6, found
    return 'passed'


def training(resume: bool, folder: str) -> str:
    """One epoch on 8 images, or a second one after it."""
    import cv2
    import numpy as np
    from mmengine.config import Config

    from fmae_iat_plugin.engine import build_runner
    rng, rows = np.random.default_rng(0), ['image,subject,AU1,AU2']
    for number in range(8):
        cv2.imwrite(f'{folder}/{number}.png', rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
        rows.append(f'{number}.png,{"ABCD"[number % 4]},{number % 2},{rng.integers(2)}')
    Path(folder, 'annotation.csv').write_text('\n'.join(rows) + '\n')
    cfg = Config.fromfile(CONFIGS / 'custom/own_table_tiny_48px.py')
    data = dict(data_root=folder, data_prefix='', aus=(1, 2), folds=2, held_out=0)
    loader = dict(num_workers=0, persistent_workers=False)
    cfg.merge_from_dict(dict(
        model=dict(head=dict(num_classes=2)), work_dir=f'{folder}/work', resume=resume,
        train_dataloader=dict(loader, batch_size=2, dataset=data),
        val_dataloader=dict(loader, dataset=dict(data, split='test')),
        test_dataloader=dict(loader, dataset=data), param_scheduler=dict(warmup_epochs=0),
        train_cfg=dict(max_epochs=1 + resume)))
    runner = build_runner(cfg)
    runner.train()
    assert runner.epoch == 1 + resume and runner.iter == 2 * (1 + resume), runner.iter
    return 'passed'


def cell(check, *arguments) -> str:
    """``passed``, what was found, or the error in a line."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return check(*arguments)
    except Exception as error:  # noqa: BLE001  whatever a package of the stack raises is a cell
        return f'{type(error).__name__}: {" ".join(str(error).split())[:200]}'


def main(name: str) -> int:
    """Print the line of the table; the exit code: 1 if a cell did not pass."""
    logging.disable(logging.INFO)
    found = cell(versions)
    with tempfile.TemporaryDirectory() as folder:
        cells = [cell(model), cell(metric), cell(training, False, folder),
                 cell(training, True, folder)]
    print(f'| {name} | {found} | {" | ".join(cells)} |')
    return int(any(text != 'passed' for text in cells))


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
