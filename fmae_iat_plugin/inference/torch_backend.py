# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What runs a config's model for the inferencer: PyTorch, and the config's test pipeline."""

import fmae_iat_plugin.full  # noqa: F401  says what is missing  # isort: skip

import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Optional, Sequence, Tuple, Type, Union

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS, TRANSFORMS

from fmae_iat_plugin.action_units import check_same_outputs, named_outputs, parse_au
from fmae_iat_plugin.datasets.protocol import load_protocol
from fmae_iat_plugin.models.classifiers import AUClassifier
from fmae_iat_plugin.weights.checkpoint import find_weights, misfits, read_checkpoint

from .onnx_backend import finite_scores
from .recipe import LOADING, Recipe, resizes


def read_config(model: Union[str, Path, Config]) -> Config:
    """A config, or that of a file."""
    return model if isinstance(model, Config) else Config.fromfile(model)


def config_recipe(cfg: Config) -> Recipe:
    """How faces get to a config's model: by its test pipeline.

    Raises:
        ValueError: If the config has no model of action units.
    """
    _classifier(cfg)
    data = cfg.test_dataloader.dataset
    steps = [step for step in data.pipeline if step['type'] not in LOADING]
    size = None if resizes(steps) else int(np.max(cfg.model.backbone.img_size))
    return Recipe(mmcv_pipeline(steps), size, partial(_find_aus, data), data.get('cropping'))


def mmcv_pipeline(steps: Sequence[dict]) -> Compose:
    """The steps of a test pipeline, on ``dict(img=...)``."""
    init_default_scope('mmpretrain')
    return Compose([TRANSFORMS.build(dict(type='LoadFace')), *map(TRANSFORMS.build, steps)])


def _find_aus(data: dict) -> Sequence[int]:
    """``aus`` of a test data set, or those of its protocol."""
    if data.get('aus'):
        return data['aus']
    own = inspect.signature(DATASETS.get(data['type'])).parameters.get('protocol')
    protocol = data.get('protocol') or (own and own.default)
    aus = load_protocol(protocol).aus if protocol else None
    if not aus:
        raise ValueError('the config does not name the action units of the model. Remedy: '
                         'pass aus=(1, 2, ...), in the order of training.')
    return aus


def _classifier(cfg: Config) -> Type[AUClassifier]:
    """The class of the config's model.

    Raises:
        ValueError: If it is not a model of action units.
    """
    name = cfg.get('filename') or 'the config'
    kind = cfg.get('model', {}).get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if not (inspect.isclass(found) and issubclass(found, AUClassifier)
            and 'test_dataloader' in cfg):
        raise ValueError(f'{name} is not a model of action units: its model is {kind!r}, not '
                         "'AUClassifier'. Remedy: use a config of configs/fmae, iat, rtatl or "
                         'custom that is fine-tuned and tested.')
    return found


def check_torch_device(device: Optional[str]) -> Optional[torch.device]:
    """The device; None stays None.

    Raises:
        ValueError: If the device is unknown, or is not on this machine.
    """
    if device is None:
        return None
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f'device {device!r} is unknown. Remedy: cpu, cuda, cuda:1, mps, ...'
                         ) from error
    number = torch.cuda.device_count()
    there = dict(cpu=True, mps=torch.backends.mps.is_available(), cuda=(found.index or 0) < number)
    if not there.get(found.type, True):
        has = f'PyTorch sees {number} GPUs' if found.type == 'cuda' else 'PyTorch does not see it'
        raise ValueError(f'device {device!r} is not on this machine: {has}. Remedy: choose another '
                         'one, or cpu.')
    return found


class TorchBackend:
    """The config's model without what it needs for training alone, such as its adversary.

    On CPUs a batch is dealt out to threads of one core each. PyTorch's own way, all cores on each
    operation in turn, makes them wait for each other wherever one of them also looks for faces.

    Args:
        cfg: Config with ``model``.
        weights: Checkpoint, opened without running code from it. None: random weights.
        device: Defaults to the GPU if there is one.

    Attributes:
        outputs (int): Number of action units.
        aus (tuple, optional): Their numbers, where the checkpoint notes its training data's.
        threshold (float or list): Probability from which an action unit is present: the
            checkpoint's (``meta['thresholds']``, one each), else the head's ``thr`` (0.5).
        intensity_aus (tuple): Numbers of the action units with intensities, as the checkpoint
            notes them, else the config's test data set; empty where the model gives none.
        cropping (dict, optional): How the training's faces were cropped, where the checkpoint
            notes it; see :mod:`fmae_iat_plugin.datasets.cropping`.

    Raises:
        ValueError: If the weights do not fit or are not finite, the config has no model of action
            units, or the device is not there.
    """

    def __init__(self, cfg: Config, weights: Optional[str] = None, device: Optional[str] = None):
        found = _classifier(cfg)
        self.device = check_torch_device(device) or torch.device(
            'cuda' if torch.cuda.is_available() else 'cpu')
        self._unused = found.training_only
        self.model = MODELS.build({**cfg.model, **dict.fromkeys(self._unused), 'pretrained': None})
        self.outputs: int = self.model.head.num_classes
        self.source = str(weights or cfg.get('filename') or 'the config')
        self.threshold = getattr(self.model.head, 'thr', 0.5)
        self.aus: Optional[Tuple[int, ...]] = None
        self.cropping: Optional[dict] = None
        self.intensity_aus: Tuple[int, ...] = ()
        if weights is not None:
            self._load(weights)
        self._name_intensities(cfg)
        self.model.to(self.device).eval()
        self._threads = 1 if self.device.type != 'cpu' else torch.get_num_threads()
        self._pool = _single_core_threads(self._threads) if self._threads > 1 else None

    def _load(self, weights: str) -> None:
        content = read_checkpoint(weights)
        saved = {name: value for name, value in find_weights(content, weights).items()
                 if name.split('.')[0] not in self._unused}
        own = self.model.state_dict()
        wrong = misfits(saved, own)
        if wrong:
            raise ValueError(f'{weights} does not fit the model of the config: {len(wrong)} weights'
                             f' are missing, left over or of another shape ({", ".join(wrong[:4])})'
                             '. Remedy: use the config it was trained with (see its folder).')
        self.model.load_state_dict(saved)
        meta = content.get('meta') or {}
        data = meta.get('dataset_meta') or {}
        self.aus = None if data.get('aus') is None else tuple(data['aus'])
        self.cropping = data.get('cropping')
        self.intensity_aus = tuple(data.get('intensity_aus') or ())
        self.threshold = meta.get('thresholds', self.threshold)

    def _name_intensities(self, cfg: Config) -> None:
        """Action units of the intensity head; none where there is no such head."""
        graded = getattr(self.model, 'intensity_head', None)
        if graded is None:
            self.intensity_aus = ()
            return
        asked = tuple(cfg.test_dataloader.dataset.get('intensities') or ())
        check_same_outputs(named_outputs(dict(aus=self.intensity_aus)),
                           named_outputs(dict(aus=asked)), self.source, "the config's intensities")
        self.intensity_aus = tuple(map(parse_au, self.intensity_aus or asked))
        if len(self.intensity_aus) != graded.num_classes:
            raise ValueError(f'{len(self.intensity_aus)} intensities {self.intensity_aus} are '
                             f'named, the model has {graded.num_classes}. Remedy: `intensities` of '
                             "the config's test data set, in the order of training.")

    def __call__(self, packed: Sequence[dict]) -> np.ndarray:
        """Probabilities ``[n, C]`` of what the test pipeline packed (uint8 ``[3, H, W]`` BGR); with
        intensities ``[n, C + K]``, these last."""
        if self._pool is None or len(packed) == 1:
            return self._run(packed)
        parts = np.array_split(np.arange(len(packed)), min(self._threads, len(packed)))
        return np.concatenate(list(self._pool.map(
            lambda rows: self._run([packed[row] for row in rows]), parts)))

    def _run(self, packed: Sequence[dict]) -> np.ndarray:
        data = {key: [entry[key] for entry in packed] for key in ('inputs', 'data_samples')}
        with torch.no_grad():
            samples = self.model.test_step(data)
        keys = ('pred_score', 'pred_intensity') if self.intensity_aus else ('pred_score', )
        values = [np.stack([sample.get(key).cpu().numpy() for sample in samples]) for key in keys]
        return finite_scores(np.concatenate(values, axis=1), self.source)


def _single_core_threads(number: int) -> ThreadPoolExecutor:
    """Threads in which PyTorch uses one core; it keeps its number of threads elsewhere."""
    before, all_there = torch.get_num_threads(), Barrier(number)

    def start(_) -> None:
        torch.get_num_threads()  # takes the number of all over, once
        torch.set_num_threads(1)  # of this thread, and of threads that start later
        all_there.wait()

    pool = ThreadPoolExecutor(number)
    list(pool.map(start, range(number)))
    torch.set_num_threads(before)
    return pool
