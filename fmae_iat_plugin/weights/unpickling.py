# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What stands in a checkpoint beside tensors, read without creating any object that it names.

MMEngine's checkpoints hold log histories and numpy numbers, MAE's the command line. Each class and
function that such a file names is replaced by a stand-in that takes notes and calls nothing. Plain
numbers, arrays and log histories are then made from the notes; everything else stays empty.
"""

from typing import Any, List, Tuple

import numpy as np
from mmengine.logging import HistoryBuffer

_KINDS = 'biufcUS'  # of numpy's types: numbers, truth values and text; no objects


class Nothing:
    """Takes the place of an allowed object whose contents nobody needs."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


class _Noted:
    """Keeps what its object was made of."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        self.args, self.state = args, None

    def __setstate__(self, state):
        self.state = state

    def value(self) -> Any:
        """What the notes stand for."""
        raise NotImplementedError


class _DType(_Noted):

    def value(self) -> np.dtype:
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else '='
        name = self.args[0] if self.args else ''
        if not (isinstance(name, str) and name[:1] in _KINDS and order in ('<', '>', '=', '|')):
            raise TypeError(f'{name!r} is no plain type')
        return np.dtype(order + name)


class _Array(_Noted):

    def value(self) -> np.ndarray:
        _, shape, dtype, fortran, data = self.state
        values = np.frombuffer(data, dtype.value())
        return values.reshape(shape, order='F' if fortran else 'C').copy()


class _History(_Noted):

    def value(self) -> HistoryBuffer:
        state = self.state
        return HistoryBuffer(state['_log_history'].value(), state['_count_history'].value(),
                             int(state['max_length']))


def _reconstruct(*args) -> _Array:
    return _Array()


def _scalar(dtype=None, data=b'', *_) -> Any:
    return _value(_Scalar(dtype, data))


class _Scalar(_Noted):

    def value(self):
        dtype, data = self.args
        number, = np.frombuffer(data, dtype.value())
        return number


def _no_bytes(*args) -> bytes:
    """The data of an empty array."""
    return b''


def _mapping(*args) -> dict:
    return dict(args[0]) if args and isinstance(args[0], dict) else {}


#: stand-ins and the names that they take the place of; nothing else is read
STAND_INS: List[Tuple[Any, str]] = [
    *((Nothing, name) for name in (
        'builtins.getattr', 'builtins.slice', 'argparse.Namespace', 'pathlib.PosixPath',
        'pathlib.WindowsPath', 'pathlib.PurePosixPath', 'pathlib.PureWindowsPath',
        'numpy.ndarray')),
    (_DType, 'numpy.dtype'),
    (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
    (_no_bytes, 'builtins.bytes'),
    (_mapping, 'mmengine.config.config.ConfigDict'),
    *((function, f'numpy.{core}.multiarray.{name}') for core in ('core', '_core')
      for function, name in ((_reconstruct, '_reconstruct'), (_scalar, 'scalar'))),
    (_Array, 'the class of what _reconstruct returns'),  # allowed to take its state
]


def _value(noted: _Noted) -> Any:
    """What a stand-in stands for, or ``Nothing`` where its notes are not as they should be."""
    try:
        return noted.value()
    except (AttributeError, LookupError, TypeError, ValueError, AssertionError):
        return Nothing()


def plain(content: Any) -> Any:
    """Put values in the place of the stand-ins, in the containers themselves where they can change.

    Args:
        content: What ``torch.load`` returned under :data:`STAND_INS`.
    """
    return _plain(content, set())


def _plain(content: Any, seen: set) -> Any:
    if isinstance(content, _Noted):
        return _value(content)
    if isinstance(content, tuple):
        return tuple(_plain(item, seen) for item in content)
    if isinstance(content, (dict, list)) and id(content) not in seen:
        seen.add(id(content))
        for key in list(content) if isinstance(content, dict) else range(len(content)):
            content[key] = _plain(content[key], seen)
    return content
