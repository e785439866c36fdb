# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""FLOPs of a training step, and those that a device could make in the same time."""

import copy
from typing import Optional, Sequence, Union

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

#: TFLOP/s, dense, fp16 or bf16 with sums in fp32, as NVIDIA states; the first name that fits
PEAKS = (('H100 PCIe', 756), ('H100 NVL', 835), ('H100', 989), ('H200 NVL', 835), ('H200', 989),
         ('GH200', 989), ('B200', 2250), ('A100', 312), ('A800', 312), ('L40S', 362),
         ('RTX 4090', 165), ('L4', 121), ('V100', 125), ('A10G', 70), ('A10', 125), ('T4', 65))


def peak_tflops() -> Optional[float]:
    """TFLOP/s of this machine's GPU at its peak; None without one, or where it is not known."""
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((float(peak) for part, peak in PEAKS if part in name), None)


def on_meta(model: nn.Module) -> nn.Module:
    """A copy that has shapes alone, which costs no memory."""
    memo = {}
    for tensor in (*model.parameters(), *model.buffers()):
        shape = tensor.detach().to('meta')
        memo[id(tensor)] = (nn.Parameter(shape, tensor.requires_grad)
                            if isinstance(tensor, nn.Parameter) else shape)
    return copy.deepcopy(model, memo)


def count_flops(model: nn.Module, images: Union[Tensor, Sequence[Tensor]],
                samples: Optional[Sequence]) -> int:
    """Of forward and backward, on shapes alone: nothing is computed.

    Those of matrix products, convolutions and attention, a multiply-add being two; attention as
    products, nothing recomputed, so they do not depend on the device.

    Args:
        model: A model of MMEngine on the device ``meta``, in training mode.
        images: ``[N, C, H, W]``, or N images, as the model takes them.
        samples: N data samples with their labels, or None.
    """
    images = (images.to('meta') if isinstance(images, Tensor) else
              [image.to('meta') for image in images])
    samples = samples and [sample.to('meta') for sample in samples]
    counter = FlopCounterMode(display=False)
    with torch.device('meta'), sdpa_kernel(SDPBackend.MATH), counter:
        losses = model(images, samples, mode='loss')
        model.parse_losses(losses)[0].backward()
    return counter.get_total_flops()
