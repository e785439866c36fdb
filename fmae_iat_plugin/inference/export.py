# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Writes a model as ONNX, or int8 ONNX; the file is checked against PyTorch or not there.

The graph takes ``faces``, uint8 ``[N, 3, H, W]``, channels in the order B, G, R (what the test
pipeline packs), and gives ``probabilities``, float32 ``[N, C]``, and of a model with an intensity
head ``intensities``, float32 ``[N, K]``, 0 to 5. Normalisation and sigmoid are inside; the
adversary is not. ``model_card`` of the config, a dict of ``name``, ``training_data`` and
``licence``, is noted.
"""

import fmae_iat_plugin.full  # noqa: F401  says what is missing  # isort: skip

import json
import logging
import os
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.registry import DATASETS
from torch import Tensor, nn

from fmae_iat_plugin.action_units import check_same_outputs, named_outputs
from fmae_iat_plugin.evaluation.scores import action_unit_scores
from fmae_iat_plugin.parallel import counting_bar
from fmae_iat_plugin.synthfacs.renderer import render
from fmae_iat_plugin.synthfacs.renderer.sampling import sample_intensities
from fmae_iat_plugin.version import __version__
from fmae_iat_plugin.weights.checkpoint import read_checkpoint

from .inferencer import AUInferencer
from .inputs import find_inputs, read_items
from .onnx_backend import OnnxBackend, import_onnxruntime
from .quantization import quantize

TOLERANCE = 1e-4  #: between the probabilities of PyTorch and ONNX Runtime
CARD = ('name', 'training_data', 'licence')  #: keys of a config's ``model_card``
OPSET = 20  # the first with Gelu; LayerNormalization came with 17


class Exported(NamedTuple):
    """What was written.

    Attributes:
        difference (float): Largest between ONNX Runtime's probabilities and PyTorch's.
        calibration (int): Faces that int8 was calibrated with; 0 = not int8.
        f1 (tuple, optional): Mean F1 (%) on the config's test data of the exact and the int8 model.
        frames (int): Of that test data.
    """

    difference: float
    calibration: int = 0
    f1: Optional[tuple] = None
    frames: int = 0


class Graph(nn.Module):
    """What is exported of a classifier: probabilities, and intensities where it has them."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, faces: Tensor) -> Union[Tensor, Tuple[Tensor, Tensor]]:
        """``[N, 3, H, W]`` -> ``[N, C]``, or ``[N, C]`` and ``[N, K]``."""
        images = self.model.data_preprocessor(dict(inputs=faces))['inputs']
        feats = self.model.test_feat(images)
        probabilities = torch.sigmoid(self.model.head(feats))
        if self.model.intensity_head is None:
            return probabilities
        return probabilities, self.model.intensity_head.intensities(feats)


def export_onnx(config: Union[str, Path, Config], weights: str, out: Union[str, Path],
                int8: bool = False, calibration: Union[str, Path, None] = None, faces: int = 128,
                f1: bool = True, method: str = 'minmax', unaveraged: bool = False) -> Exported:
    """Write a model.

    Args:
        config: Of a model of action units.
        weights: Its checkpoint.
        out: ``.onnx`` file; beyond 1.5 GB the weights lie beside it in ``.onnx.data``.
        int8: Quantise; see :func:`~.quantization.quantize`.
        calibration: int8: face crops: a folder, pattern or video. Defaults to the
            training images of the config, by its test pipeline.
        faces: int8: How many of these are used, evenly spaced.
        f1: int8: Measure the change of F1 on the config's test data.
        method: int8: How the calibration finds ranges; see :data:`~.quantization.METHODS`.
        unaveraged: Of a training with ``EMAHook``: the weights of its last update, and not their
            moving average.

    Raises:
        FileNotFoundError: If there is no config, checkpoint, calibration face or data set.
        ImportError: If the extra ``export`` is not installed.
        ValueError: If the model does not fit, ``unaveraged`` weights are asked of a checkpoint
            that has no others, or the file's probabilities are off by more than
            ``TOLERANCE``.
    """
    out = Path(out)
    if out.suffix != '.onnx':
        raise ValueError(f'{out} does not end with .onnx. Remedy: name an ONNX file.')
    if faces < 1:
        raise ValueError(f'{faces} faces were asked for the calibration. Remedy: ask for 1 or '
                         'more, such as 128.')
    import_onnxruntime()
    cfg = config if isinstance(config, Config) else Config.fromfile(config)
    infer = AUInferencer(cfg, weights, 'cpu', detector=None)
    if unaveraged:
        _take_unaveraged(infer.backend.model, weights)
    images = _calibration_images(infer, cfg, calibration, faces) if int8 else []
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f'.{out.name}.') as folder:
        exact, small = Path(folder, 'exact', out.name), Path(folder, 'int8', out.name)
        exact.parent.mkdir()
        write_graph(infer, cfg, exact)
        backend = OnnxBackend(exact, 'cpu')
        result = Exported(largest_difference(infer, backend))
        if not result.difference <= TOLERANCE:
            raise ValueError(f'probabilities of ONNX Runtime differ from PyTorch by up to '
                             f'{result.difference:.2g}, more than {TOLERANCE:g}: no file was '
                             'written. Remedy: install other versions of torch and onnxruntime.')
        if int8:
            small.parent.mkdir()
            quantize(exact, small, images, method)
            result = result._replace(calibration=len(images))
            if f1:
                both, frames = measure_f1(cfg, [backend, OnnxBackend(small, 'cpu')])
                result = result._replace(f1=both, frames=frames)
        written = sorted((small if int8 else exact).parent.iterdir(), reverse=True)
        for part in written:  # the graph last: once it is there, its weights are
            os.replace(part, out.parent / part.name)
    return result


def _take_unaveraged(model: nn.Module, weights: str) -> None:
    """The weights that ``EMAHook`` keeps beside their average; it names them ``module.*``."""
    kept = read_checkpoint(weights).get('ema_state_dict')
    if kept is None:
        raise ValueError(f'{weights} holds no averaged weights, and so none but the last. Remedy: '
                         'leave out unaveraged.')
    model.load_state_dict({name: kept[f'module.{name}'] for name in model.state_dict()})


def write_graph(infer: AUInferencer, cfg: Config, path: Path) -> None:
    """Trace the model and write it with what :class:`OnnxBackend` and its users need to know."""
    model = infer.backend.model
    height, width = input_size(infer)
    outputs = ['probabilities', *(['intensities'] if infer.intensity_aus else ())]
    example = torch.zeros((2, 3, height, width), dtype=torch.uint8)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            Graph(model).eval(), (example, ), input_names=['faces'], dynamo=True, verbose=False,
            output_names=outputs, opset_version=OPSET,
            dynamic_shapes=dict(faces={0: torch.export.Dim('faces')}))
    for value in (program.model, program.model.graph, *program.model.graph.all_nodes()):
        value.metadata_props.clear()  # the exporter notes paths of source files
    pipeline = [dict(step) for step in cfg.test_dataloader.dataset.pipeline
                if step['type'] not in ('LoadFace', 'LoadImageFromFile')]
    notes = dict(aus=infer.aus, thresholds=infer.thresholds.tolist(), image_size=(height, width),
                 pipeline=pipeline)
    if infer.intensity_aus:
        notes['intensity_aus'] = infer.intensity_aus
    if infer.noted:
        notes['cropping'] = infer.noted
    program.model.metadata_props.update(
        {key: json.dumps(value) for key, value in notes.items()}, **_card(cfg), colour_order='BGR',
        config=Path(cfg.filename or 'config').name, fmae_iat_plugin=__version__)
    program.save(path)


def _card(cfg: Config) -> dict:
    """What the config says of its model, as text.

    Raises:
        ValueError: If ``model_card`` has another key.
    """
    card = dict(cfg.get('model_card') or {})
    unknown = sorted(set(card) - set(CARD))
    if unknown:
        raise ValueError(f'model_card has {unknown[0]!r}. Remedy: {", ".join(CARD)}.')
    return {key: str(value) for key, value in card.items()}


def input_size(infer: AUInferencer) -> Tuple[int, int]:
    """Height and width of the model's input: the backbone's, or, where that takes any, what the
    test pipeline makes."""
    size = getattr(infer.backend.model.backbone, 'img_size', None)
    if size is None:
        size = infer.pipeline(dict(img=np.zeros((64, 64, 3), np.uint8)))['inputs'].shape[-2:]
    return int(size[0]), int(size[1])


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporter warns of its own code."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)


def largest_difference(infer: AUInferencer, backend: OnnxBackend) -> float:
    """Between two backends, on noise and on rendered faces, one and five at a time."""
    rng = np.random.default_rng(0)
    size = max(backend.image_size)
    noise = list(rng.integers(0, 256, (5, size, size, 3), dtype=np.uint8))
    faces = [render(person, sample_intensities(rng), size=size)[0][..., ::-1]
             for person in range(5)]
    packed = [[infer.pipeline(dict(img=np.ascontiguousarray(image))) for image in images]
              for images in (noise, faces)]
    batches = [entries[:number] for entries in packed for number in (1, 5)]
    return max(float(np.abs(infer.backend(batch) - backend(batch)).max()) for batch in batches)


def _calibration_images(infer: AUInferencer, cfg: Config, source, number: int) -> List[np.ndarray]:
    """uint8 ``[3, H, W]`` BGR, by the test pipeline."""
    if source is None:
        data = DATASETS.build({**cfg.train_dataloader.dataset,
                               'pipeline': cfg.test_dataloader.dataset.pipeline})
        return [data[row]['inputs'].numpy() for row in _evenly(len(data), number)]
    problems: list = []
    items = find_inputs(str(source))
    items = [items[row] for row in _evenly(len(items), number)]
    images = [frame.image for _, frame in read_items(items, 1, problems)]
    if problems or not images:
        reason = f'{problems[0].item}: {problems[0].detail}' if problems else 'no image in it'
        raise ValueError(f'{source} cannot be used for the calibration ({reason}).')
    return [infer.pipeline(dict(img=images[row]))['inputs'].numpy()
            for row in _evenly(len(images), number)]


def _evenly(size: int, number: int) -> List[int]:
    return np.linspace(0, size - 1, min(size, number)).round().astype(int).tolist()


def measure_f1(cfg: Config, backends: List[OnnxBackend], batch_size: int = 32) -> tuple:
    """Mean F1 (%) of each backend at its thresholds on the config's test data; and its frames.

    Raises:
        ValueError: If the test data have other action units than a backend, or in another order.
    """
    data = DATASETS.build(cfg.test_dataloader.dataset)
    for backend in backends:
        check_same_outputs(named_outputs(dict(aus=backend.aus)), named_outputs(data.metainfo),
                           'the checkpoint', "the config's test data set")
    labels, scores = [], [[] for _ in backends]
    with counting_bar() as bar:
        tested = bar.add_task('F1 on the test data', total=len(data))
        for first in range(0, len(data), batch_size):
            packed = [data[row] for row in range(first, min(first + batch_size, len(data)))]
            labels += [entry['data_samples'].gt_score.numpy() for entry in packed]
            for backend, found in zip(backends, scores):
                found.append(backend(packed)[:, :backend.outputs])
            bar.advance(tested, len(packed))
    means = [action_unit_scores(np.concatenate(found), np.stack(labels), data.metainfo['classes'],
                                np.broadcast_to(backend.threshold, backend.outputs).tolist())
             for backend, found in zip(backends, scores)]
    return tuple(float(mean['f1_tuned/mean']) for mean in means), len(labels)
