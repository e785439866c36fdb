# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""From decoded faces to a batch with one copy, for data without labels.

MMPretrain's ``PackInputs`` turns rows of pixels into planes for each image, and collating copies
them again. Here pixels stay as they were decoded: a batch is a view with the strides of PyTorch's
``channels_last``, and the device makes of it what it likes.
"""

from typing import Sequence

import torch
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS
from torch.utils.data import default_collate

try:
    from mmengine.registry import FUNCTIONS
except ImportError:  # MMEngine before 0.4
    from mmengine.dataset import COLLATE_FUNCTIONS as FUNCTIONS


@TRANSFORMS.register_module()
class PackFace(BaseTransform):
    """Keep nothing of a sample but its pixels.

    Required key: ``img``, uint8 (H, W, 3). The result is ``dict(inputs=uint8 Tensor [3, H, W])``, a
    view of the same memory. The other end is :func:`face_collate`.
    """

    def transform(self, results: dict) -> dict:
        """See above."""
        return dict(inputs=torch.from_numpy(results['img']).permute(2, 0, 1))


@FUNCTIONS.register_module()
def face_collate(samples: Sequence[dict]) -> dict:
    """A batch of what :class:`PackFace` packed.

    Args:
        samples: N dicts with ``inputs``, uint8 ``[3, H, W]``.

    Returns:
        dict: ``inputs``, uint8 ``[N, 3, H, W]`` in ``channels_last`` strides, in memory that the
        main process shares where this is a worker; a list of N tensors if the sizes differ.
    """
    images = [sample['inputs'].permute(1, 2, 0) for sample in samples]
    if len({image.shape for image in images}) > 1:
        return dict(inputs=[image.permute(2, 0, 1) for image in images])
    return dict(inputs=default_collate(images).permute(0, 3, 1, 2))
