# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""From decoded faces to a batch with one copy, for data without labels.

MMPretrain's ``PackInputs`` turns rows of pixels into planes for each image, and collating copies
them again. Here pixels stay as they were decoded: a batch is a view with the strides of PyTorch's
``channels_last``, and the device makes of it what it likes. Where the size of the images is known,
they are decoded into the memory of the batch (:func:`batch_memory`), and nothing is copied.
"""

from typing import Sequence, Tuple

import torch
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS
from torch.utils.data import default_collate, get_worker_info

try:
    from mmengine.registry import FUNCTIONS
except ImportError:  # MMEngine before 0.4
    from mmengine.dataset import COLLATE_FUNCTIONS as FUNCTIONS


@TRANSFORMS.register_module()
class PackFace(BaseTransform):
    """Keep nothing of a sample but its pixels.

    Required key: ``img``, uint8 (H, W, 3). Optional: ``out``, a tensor that may have the same
    memory. The result is ``dict(inputs=uint8 Tensor [3, H, W])``, a view of the memory of ``img``.
    The other end is :func:`face_collate`.
    """

    def transform(self, results: dict) -> dict:
        """See above."""
        image, out = torch.from_numpy(results['img']), results.get('out')
        if out is not None and out.data_ptr() == image.data_ptr() and out.shape == image.shape:
            image = out  # it knows the batch
        return dict(inputs=image.permute(2, 0, 1))


def batch_memory(number: int, size: Tuple[int, int]) -> torch.Tensor:
    """Memory of a batch of images, uint8 ``[number, H, W, 3]``.

    In a worker it is memory that the main process shares, as that of PyTorch's own collating.
    """
    shape = (number, *size, 3)
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    storage = torch.UntypedStorage._new_shared(number * size[0] * size[1] * 3)
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, shape)


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
    if _is_batch(images):
        batch = images[0].new_empty(0).set_(images[0].untyped_storage(), 0,
                                            (len(images), *images[0].shape))
        return dict(inputs=batch.permute(0, 3, 1, 2))
    if len({image.shape for image in images}) > 1:
        return dict(inputs=[image.permute(2, 0, 1) for image in images])
    return dict(inputs=default_collate(images).permute(0, 3, 1, 2))


def _is_batch(images: Sequence[torch.Tensor]) -> bool:
    """Whether the images are, in their order, the whole of one memory."""
    first, memory = images[0], images[0].untyped_storage()
    return memory.nbytes() == len(images) * first.numel() and all(
        image.shape == first.shape and image.is_contiguous()
        and image.storage_offset() == number * first.numel()
        and image.untyped_storage().data_ptr() == memory.data_ptr()
        for number, image in enumerate(images))
