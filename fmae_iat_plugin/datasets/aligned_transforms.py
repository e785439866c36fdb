# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Transforms that keep landmarks and flow on the face while the image is cropped and flipped.

MMPretrain's crop forgets where it cut, so :class:`FaceCrop` notes it: ``window`` is (x1, y1, x2,
y2) in fractions of the image as loaded. mmcv's ``RandomFlip`` notes ``flip``. What belongs to the
face is then brought into the picture that the network sees::

    dict(type='LoadFace'),
    dict(type='FaceCrop', scale=224, crop_ratio_range=(0.8, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='FollowLandmarks'),
    dict(type='LoadFlow', size=32),
    dict(type='PackInputs', algorithm_keys=('subject', 'landmarks', 'flow')),

RandAugment turns and shears the image without a note, and does not go with them.
"""

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.datasets.transforms import RandomResizedCrop
from mmpretrain.registry import TRANSFORMS

from .flow_targets import Target, read_flow
from .mean_shape import mirror

WHOLE = (0., 0., 1., 1.)
_FINE = 4  # points a cell and axis, averaged


@TRANSFORMS.register_module()
class FaceCrop(RandomResizedCrop):
    """MMPretrain's ``RandomResizedCrop``, which also notes ``window``; arguments as there.

    It must come first among what changes the shape of the image.
    """

    def transform(self, results: dict) -> dict:
        """Crop and resize ``img``; add ``window``."""
        image = results['img']
        height, width = image.shape[:2]
        top, left, tall, wide = self.rand_crop_params(image)
        part = mmcv.imcrop(image, np.array([left, top, left + wide - 1, top + tall - 1]))
        results['img'] = mmcv.imresize(part, tuple(self.scale[::-1]), backend=self.backend,
                                       interpolation=self.interpolation)
        results['img_shape'] = results['img'].shape[:2]
        results['window'] = (left / width, top / height, (left + wide) / width,
                             (top + tall) / height)
        return results


@TRANSFORMS.register_module()
class FollowLandmarks(BaseTransform):
    """Landmarks of the cropped and flipped image; a sample without ``landmarks`` stays as it is.

    Required keys: ``landmarks`` float32 ``[68, 2]``, fractions of the image as loaded; optionally
    ``window`` and ``flip``. Modified key: ``landmarks``, fractions of the image as it is now.
    """

    def transform(self, results: dict) -> dict:
        """Move ``landmarks``."""
        if 'landmarks' in results:
            x1, y1, x2, y2 = results.get('window', WHOLE)
            points = (results['landmarks'] - np.float32([x1, y1])) / np.float32([x2 - x1, y2 - y1])
            results['landmarks'] = mirror(points) if results.get('flip') else points
        return results


@TRANSFORMS.register_module()
class LoadFlow(BaseTransform):
    """Flow of the cropped and flipped image; a sample without a target stays as it is.

    Required keys: ``ori_shape``; optionally ``flow_target``
    (:class:`~fmae_iat_plugin.datasets.flow_targets.Target`), ``window`` and ``flip``.
    Added key: ``flow``, float32 ``[size, size, 2]``, x and y in fractions of the image as it is
    now; NaN where it is unknown.

    Args:
        size (int): Side of the flow, that of ``model.flow.size``.

    Raises:
        ValueError: If the flow was computed for an image of another size.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def transform(self, results: dict) -> dict:
        """Add ``flow``."""
        if results.get('flow_target') is None:
            return results
        target = Target(*results['flow_target'])
        flow = read_flow(target, results['ori_shape'][1::-1])
        flow = sample_window(flow, results.get('window', WHOLE), self.size)
        if results.get('flip'):
            flow = flow[:, ::-1] * np.array([-1, 1], np.float32)
        results['flow'] = np.ascontiguousarray(flow)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'


def sample_window(flow: np.ndarray, window, size: int) -> np.ndarray:
    """Flow of a part of the image, in fractions of that part.

    Args:
        flow: ``[h, w, 2]`` in fractions of the image; NaN unknown.
        window: (x1, y1, x2, y2) in fractions of the image.
        size: Side of the result.

    Returns:
        np.ndarray: float32 ``[size, size, 2]``. A cell is the mean over its known points, NaN
        where fewer than half of them are known.
    """
    height, width = flow.shape[:2]
    x1, y1, x2, y2 = window
    steps = (np.arange(size * _FINE, dtype=np.float32) + 0.5) / (size * _FINE)
    columns = (x1 + steps * (x2 - x1)) * width - 0.5
    rows = (y1 + steps * (y2 - y1)) * height - 0.5
    at_x, at_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    known = ~np.isnan(flow).any(axis=-1)
    planes = np.dstack([np.where(known[..., None], flow, 0), known]).astype(np.float32)
    fine = cv2.remap(planes, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cells = fine.reshape(size, _FINE, size, _FINE, 3).mean(axis=(1, 3))
    weight = cells[..., 2:]
    with np.errstate(invalid='ignore', divide='ignore'):
        mean = cells[..., :2] / weight
    mean[(weight < 0.5)[..., 0]] = np.nan
    return (mean / np.float32([x2 - x1, y2 - y1])).astype(np.float32)
