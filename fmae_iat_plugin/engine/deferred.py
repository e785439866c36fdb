# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Numbers on their way from the device to the host, while the host goes on."""

from collections import deque
from typing import Deque, Dict, List, Mapping, NamedTuple, Optional

import torch
from torch import Tensor


class _OnTheWay(NamedTuple):
    names: List[str]
    numbers: Tensor
    event: Optional[torch.cuda.Event]
    tag: object


class Arrived(NamedTuple):
    """Numbers of one iteration.

    Attributes:
        values (dict[str, float]): By name.
        tag (object): What :meth:`Deferred.send` was given.
    """

    values: Dict[str, float]
    tag: object


class Deferred:
    """A queue of scalars that the device still computes.

    ``Tensor.item`` waits until the device has done all that it was given, so that it stands idle
    until the host has prepared the next step. Here the copy is queued behind the computation, and
    is read one step later, when it is long there.
    """

    def __init__(self) -> None:
        self._queue: Deque[_OnTheWay] = deque()

    def send(self, scalars: Mapping[str, Tensor], tag: object = None) -> None:
        """Queue a copy of scalars (tensors of one element, or numbers)."""
        tensors = [value.detach() if isinstance(value, Tensor) else
                   torch.tensor(value, dtype=torch.float64) for value in scalars.values()]
        device = next((value.device for value in tensors if value.is_cuda), None)
        event = None
        if device is None:
            numbers = torch.tensor([float(value) for value in tensors], dtype=torch.float64)
        else:
            with torch.no_grad():
                stacked = torch.stack([value.to(device, torch.float64, non_blocking=True
                                                ).reshape(()) for value in tensors])
            numbers = stacked.to('cpu', non_blocking=True)  # PyTorch pins the target
            event = torch.cuda.Event()
            event.record()
        self._queue.append(_OnTheWay(list(scalars), numbers, event, tag))

    def receive(self, leave: int = 0) -> List[Arrived]:
        """The numbers sent, oldest first, but for the last ``leave`` sendings."""
        arrived = []
        while len(self._queue) > leave:
            names, numbers, event, tag = self._queue.popleft()
            if event is not None:
                event.synchronize()
            arrived.append(Arrived(dict(zip(names, numbers.tolist())), tag))
        return arrived
