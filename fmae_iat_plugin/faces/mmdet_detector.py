# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Any mmdet detector as a face detector. mmdet is imported only when one is built."""

from pathlib import Path
from typing import List, Sequence, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.logging import MMLogger
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import DefaultScope

from fmae_iat_plugin.stack import mmcv_ops_remedy
from fmae_iat_plugin.weights.pretrained import read_state_dict

from .detections import Detections
from .structures import CropError


def import_mmdet():
    """mmdet with the compiled ops of mmcv.

    Raises:
        CropError: If one of them is missing.
    """
    try:
        import mmcv.ops  # noqa: F401  mmdet's import alone does not need them, its models do
        import mmdet.apis  # noqa: F401
    except (ImportError, AssertionError) as error:  # mmdet asserts the range of mmcv's version
        raise CropError(f'mmdet with the compiled ops of mmcv cannot be imported ({error}). '
                        f'Remedy: {mmcv_ops_remedy()}. Or take the detector dlib.'
                        ) from error
    from mmdet.registry import DATASETS, MODELS
    from mmdet.utils import get_test_pipeline_cfg, register_all_modules
    register_all_modules(init_default_scope=False)
    return MODELS, DATASETS, get_test_pipeline_cfg


class MMDetDetector:
    """An mmdet model; its boxes of one class are the faces.

    Args:
        config (str): An mmdet config; its test pipeline prepares the images.
        checkpoint (str): Path or URL of the weights; opened without running code from it.
        label (int | str, optional): The class, by index or by name in the config's data set.
            None: the only class, or the one named face.
        threshold (float): Lowest score, 0 to 1.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        batch_size (int): Images at a time.

    Raises:
        CropError: If mmdet or the ops are missing, the checkpoint does not fit the config, or the
            class is unknown.
    """

    thread_safe = False

    def __init__(self, config: str, checkpoint: str, label: Union[int, str, None] = None,
                 threshold: float = 0.5, device: str = 'cpu', batch_size: int = 8):
        self.threshold, self.batch_size = float(threshold), int(batch_size)
        if not Path(config).is_file():
            raise CropError(f'the detector config {config} does not exist.')
        if '://' not in checkpoint and not Path(checkpoint).is_file():
            raise CropError(f'the checkpoint {checkpoint} of the detector does not exist.')
        models, datasets, test_pipeline = import_mmdet()
        cfg = Config.fromfile(config)
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmdet')):
            self.model = revert_sync_batchnorm(models.build(cfg.model))
            pipeline = test_pipeline(cfg).copy()
            pipeline[0] = dict(type='mmdet.LoadImageFromNDArray')
            self.pipeline = Compose(pipeline)
        self._load(checkpoint, config)
        self.model.to(device).eval()
        self.label = _choose_class(label, _class_names(cfg, datasets), _num_classes(cfg.model),
                                   config)

    def _load(self, checkpoint: str, config: str) -> None:
        try:
            left = self.model.load_state_dict(read_state_dict(checkpoint), strict=False)
        except (ValueError, RuntimeError) as error:
            raise CropError(f'{checkpoint} cannot be loaded into the model of {config}: {error}'
                            ) from error
        if left.missing_keys:
            raise CropError(f'{checkpoint} is not of the model of {config}: '
                            f'{len(left.missing_keys)} tensors are missing, first '
                            f'{left.missing_keys[0]}. Remedy: use the config it was trained with.')
        if left.unexpected_keys:
            MMLogger.get_current_instance().warning(
                f'{checkpoint}: {len(left.unexpected_keys)} tensors are not used, first '
                f'{left.unexpected_keys[0]}')

    @torch.inference_mode()
    def __call__(self, images: Sequence[np.ndarray]) -> List[Detections]:
        """See :class:`~fmae_iat_plugin.faces.detector.Detector`."""
        found = []
        for first in range(0, len(images), self.batch_size):
            batch = images[first:first + self.batch_size]
            inputs = [self.pipeline(dict(img=image, img_id=0)) for image in batch]
            found += self.model.test_step(pseudo_collate(inputs))
        return [self._faces(sample.pred_instances) for sample in found]

    def _faces(self, instances) -> Detections:
        keep = (instances.labels == self.label) & (instances.scores >= self.threshold)
        scores, order = instances.scores[keep].float().sort(descending=True, stable=True)
        boxes = instances.bboxes[keep][order].float()
        return Detections(boxes.reshape(-1, 4).cpu().numpy(), scores.cpu().numpy())


def _num_classes(model) -> int:
    """Number of classes of the (last) box head in a model's config; 0 = not found."""
    found = 0
    if isinstance(model, dict):
        for name in ('rpn_head', 'data_preprocessor', 'backbone', 'neck'):
            model = {key: value for key, value in model.items() if key != name}
        found = model.get('num_classes', 0)
        children = model.values()
    elif isinstance(model, (list, tuple)):
        children = model
    else:
        return 0
    for child in children:
        found = _num_classes(child) or found
    return found


def _class_names(cfg, datasets) -> tuple:
    """Names of the classes of a config's test data set; () = it says none."""
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset or 'datasets' in dataset:
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    names = (dataset.get('metainfo') or {}).get('classes')
    if names is None:
        kind = datasets.get(dataset['type']) if isinstance(dataset['type'], str) else \
            dataset['type']
        names = getattr(kind, 'METAINFO', {}).get('classes', ())
    return (names, ) if isinstance(names, str) else tuple(names)


def _choose_class(label, names: tuple, number: int, config: str) -> int:
    """Index of the faces' class; see :class:`MMDetDetector`."""
    if number and len(names) != number:  # the data set's names are another model's
        names = ()
    number = number or len(names)
    if isinstance(label, str) and label.isascii() and label.isdigit():
        label = int(label)
    if label is None and number == 1:
        return 0
    if label is None and 'face' in names:
        return names.index('face')
    if isinstance(label, str) and label in names:
        return names.index(label)
    if isinstance(label, int) and 0 <= label < number:
        return label
    known = f'{", ".join(names[:10])}{", ..." * (len(names) > 10)}' if names else \
        'no names in its data set'
    problem = 'which class are the faces?' if label is None else f'there is no class {label!r}.'
    raise CropError(f'{config} has {number} classes ({known}): {problem} Remedy: give the class '
                    f'by name or as an index from 0 to {number - 1}.')
