# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Check that the OpenMMLab stack is there and in range, before anything registers into it.

The stack is not a core dependency of this package: the original distributions (``mmengine``, ...)
and their maintained continuation (``onedl-mmengine``, ...) install the same import names and
overwrite each other's files, so the choice is the user's.

A prediction by ONNX Runtime needs no stack, so the package can be imported **light**: nothing is
registered, and nothing of the stack is imported. It is light where PyTorch or MMEngine is not
installed, in the command ``fmae-iat``, and where the environment variable ``FMAE_IAT_PLUGIN_LIGHT``
is set before the import, as ``tools/predict.py`` does for itself and its processes. What needs the
stack calls :func:`use_stack`, which imports the rest, or says what is missing.
"""

import contextlib
import importlib
import io
import os
import re
import sys
import warnings
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Callable

#: asks for a light import, unless it is empty
LIGHT = 'FMAE_IAT_PLUGIN_LIGHT'

#: rooms of which a part works without the stack, in the order of their imports, and the package
_ROOMS = ('fmae_iat_plugin.evaluation', 'fmae_iat_plugin.datasets', 'fmae_iat_plugin.weights',
          'fmae_iat_plugin')

#: import name -> (lowest version, first version out of range, distribution to install)
STACK = MappingProxyType({
    'torch': ('2.6', '2.16', 'torch'),
    'torchvision': ('0.21', '0.30', 'torchvision'),
    'mmengine': ('0.10', '1.0', 'onedl-mmengine'),
    'mmcv': ('2.0', '2.5', 'onedl-mmcv'),
    'mmpretrain': ('1.2', '2.0', 'onedl-mmpretrain'),
    'timm': ('0.9', '2.0', 'timm'),
})

REMEDY = ("install the stack at versions tested together with "
          "`pip install 'fmae_iat_plugin[stack]'` (from a clone: `pip install -e '.[stack]'`). "
          'Keep one family only: the original OpenMMLab distributions or onedl-*, never both.')


#: Pythons for which wheels of mmcv with its compiled operators are published
_PREBUILT = ((3, 10), (3, 12))


def mmcv_ops_remedy(python: tuple = sys.version_info[:2]) -> str:
    """How to get mmcv with its compiled operators, which mmdet's models need.

    Args:
        python: (major, minor) of the interpreter.
    """
    build = '`bash tools/misc/build_mmcv_ops.sh` in a checkout builds and installs them'
    if tuple(python) in _PREBUILT:
        return ('`pip install onedl-mim`, then `mim install onedl-mmcv` takes the wheel with the '
                f'compiled operators for this torch if there is one; else {build}')
    return (f'no wheel with the compiled operators is published for Python {python[0]}.{python[1]} '
            f'(there are for {" and ".join(f"{a}.{b}" for a, b in _PREBUILT)}): {build}')


def _release(version: str) -> tuple:
    """``'2.10.0+cu128'`` -> ``(2, 10, 0)``: the leading numbers of a version."""
    return tuple(int(part) for part in re.match(r'\d+(\.\d+)*', version).group().split('.'))


def check_stack(stack=STACK) -> dict:
    """Import every package of the stack and compare its version with the range.

    Args:
        stack (Mapping[str, tuple]): Import name -> (lowest version, first version out of range,
            distribution name).

    Returns:
        dict[str, str]: Import name -> version found.

    Raises:
        ImportError: If a package is absent, fails to import or is out of range; the message
            names it, the version found, the range, and the command that mends it.
    """
    found = {}
    for name, (low, high, distribution) in stack.items():
        try:
            version = importlib.import_module(name).__version__
        # mmpretrain asserts its own ranges; torchvision without its operators is a RuntimeError
        except (ImportError, AssertionError, RuntimeError) as error:
            remedy = mmcv_ops_remedy() if 'mmcv._ext' in str(error) else REMEDY
            raise ImportError(
                f'fmae_iat_plugin needs `{name}` >= {low}, < {high} (distribution '
                f'`{distribution}`), but importing it failed: {error}. Remedy: {remedy}'
            ) from error
        if not _release(low) <= _release(version) < _release(high):
            raise ImportError(f'fmae_iat_plugin needs `{name}` >= {low}, < {high}, but {version} '
                              f'is installed. Remedy: {REMEDY}')
        found[name] = version
    if 'mmengine' in found:
        _check_setuptools()
    return found


def _check_setuptools() -> None:
    """The original mmengine looks packages up by ``pkg_resources`` once a config is read.

    Raises:
        ImportError: If it is installed, and ``pkg_resources`` is not.
    """
    with contextlib.suppress(metadata.PackageNotFoundError):
        version = metadata.version('mmengine')
        if find_spec('pkg_resources') is None:
            raise ImportError(
                f'mmengine {version} needs `pkg_resources`, which setuptools has no longer from '
                "version 82 on. Remedy: pip install 'setuptools<82', or the maintained "
                'onedl-mmengine instead of mmengine.')


def import_quietly() -> None:
    """Import mmpretrain's data sets, which say that a package is missing that nobody needs, and its
    models, which warn that an operator of mmcv is missing that none of ours has."""
    with contextlib.redirect_stdout(io.StringIO()) as said, warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')
        importlib.import_module('mmpretrain.datasets')
        importlib.import_module('mmpretrain.models')
    sys.stdout.write(said.getvalue().replace('Could not import OneDL\n', ''))


class _State:
    """Whether the package was imported light and nothing has needed the stack since."""

    light: bool = (bool(os.environ.get(LIGHT))
                   or Path((sys.argv or [''])[0]).stem == 'fmae-iat'
                   or any(find_spec(name) is None for name in ('torch', 'mmengine')))


def is_light() -> bool:
    """Whether the package is without the stack: components are not registered."""
    return _State.light


def use_stack() -> None:
    """Import what a light import left out, so that everything registers; otherwise do nothing.

    Raises:
        ImportError: See :func:`check_stack`.
    """
    if not _State.light:
        return
    check_stack()
    import_quietly()
    _State.light = False
    for name in _ROOMS:
        if name in sys.modules:
            importlib.reload(sys.modules[name])


def on_demand(room: str) -> Callable[[str], object]:
    """``__getattr__`` of a room that was imported light: its public names bring the stack in.

    Args:
        room: Its ``__name__``.
    """
    def get(name: str):
        module = sys.modules[room]
        if not _State.light or name not in getattr(module, '__all__', ()):
            raise AttributeError(f'module {room!r} has no attribute {name!r}')
        use_stack()
        return getattr(module, name)

    return get
