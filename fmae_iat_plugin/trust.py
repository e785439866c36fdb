# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Whether the checkpoints that MMEngine loads in this process may run code: not unless asked.

``tools/train.py --trust-pickle`` and ``tools/test.py --trust-pickle`` ask for it; a program does::

    with trust_pickle():
        model = mmpretrain.get_model('fmae_vit-large_face9m', pretrained='own.pth')
"""

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator

_TRUSTED: ContextVar[bool] = ContextVar('trust_pickle', default=False)


def trusts_pickle() -> bool:
    """Whether the caller said that checkpoints may run code."""
    return _TRUSTED.get()


@contextmanager
def trust_pickle() -> Iterator[None]:
    """Within the block, checkpoints are unpickled without limits, which runs any code in them.

    Only for your own files. It holds for the thread that calls it, not for other ones.
    """
    token = _TRUSTED.set(True)
    try:
        yield
    finally:
        _TRUSTED.reset(token)
