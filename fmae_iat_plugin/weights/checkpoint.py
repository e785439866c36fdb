# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Reads and writes checkpoints without ever running what a file contains.

A ``.pth`` file is a pickle, and unpickling calls whatever the file names. MMEngine falls back to
such a full unpickling; here it happens only where the caller says that the file is trusted. A
``.safetensors`` file holds tensors and strings and nothing that could be called.
"""

import json
import os
import pickle
import re
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fmae_iat_plugin.files import whole_file


class _Discarded:
    """Takes the place of each allowed object that is not a tensor: holds nothing, does nothing."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


# The non-tensor objects that MMEngine's and MAE's checkpoints really contain (log history, numpy
# scalars, command-line arguments). None of them is ever created: `_Discarded` is, so that even
# `getattr`, which MMEngine's log history refers to, is harmless.
_DISCARDED_NAMES = (
    'builtins.getattr', 'builtins.slice', 'argparse.Namespace', 'pathlib.PosixPath',
    'pathlib.WindowsPath', 'pathlib.PurePosixPath', 'pathlib.PureWindowsPath',
    'mmengine.logging.history_buffer.HistoryBuffer', 'numpy.dtype', 'numpy.ndarray',
    'numpy.core.multiarray._reconstruct', 'numpy.core.multiarray.scalar',
    'numpy._core.multiarray._reconstruct', 'numpy._core.multiarray.scalar')
_SAFETENSORS = '.safetensors'


def read_checkpoint(checkpoint: str | os.PathLike, trust_pickle: bool = False) -> dict:
    """Reads a checkpoint; the guard before the package's own loads.

    Args:
        checkpoint: Path, or http(s) URL, of a ``.pth`` or ``.safetensors`` file. A URL is kept in
            ``torch.hub``'s cache; processes that fetch it at the same time do not disturb each
            other.
        trust_pickle: Unpickle a ``.pth`` file without limits, which runs any code in it. Only for
            files of one's own. Defaults to False: tensors, numbers, strings and containers are
            read, a few harmless classes replaced by an empty object, anything else refused.

    Returns:
        What the file holds, tensors on the CPU: of a ``.pth`` file its dict, of a
        ``.safetensors`` file ``state_dict`` and, if :func:`write_checkpoint` wrote it, ``meta``.

    Raises:
        ConnectionError: If a URL cannot be fetched.
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is unreadable or holds objects that could run code.
    """
    name = os.fspath(checkpoint)
    try:
        path = os.path.expanduser(name)
        if name.startswith(('http://', 'https://')):
            path = _fetch(name)
        if os.path.splitext(path)[1] == _SAFETENSORS:
            return _read_safetensors(path)
        discarded = [(_Discarded, allowed) for allowed in _DISCARDED_NAMES]
        with torch.serialization.safe_globals([] if trust_pickle else discarded):
            return torch.load(path, map_location='cpu', weights_only=not trust_pickle)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'checkpoint {name} does not exist. Remedy: name a local file '
                                '(pretraining leaves work_dirs/CONFIG/epoch_N.pth; a config says '
                                'it in model.pretrained) or an address that starts with http:// '
                                'or https://') from error
    except URLError as error:
        raise ConnectionError(f'cannot download checkpoint {name}: {error}') from error
    except pickle.UnpicklingError as error:
        reason = re.search(r'GLOBAL \S+|invalid load key.*', str(error))
        reason = reason.group() if reason else str(error).splitlines()[-1]
        raise ValueError(
            f'checkpoint {name} was refused ({reason}): it is no file of tensors (a saved web page'
            ' or Git LFS pointer looks like this), or holds Python objects, and opening those '
            "could run code. Ask its author for a file with only the 'state_dict', or for "
            'safetensors. A file of your own may be converted with --trust-pickle '
            '(tools/model_converters), which runs what is in it') from error
    except (RuntimeError, EOFError, IsADirectoryError, AssertionError, IndexError) as error:
        raise ValueError(f'checkpoint {name} is not a readable torch file (interrupted download?):'
                         f' {error}') from error
    except SafetensorError as error:
        raise ValueError(f'checkpoint {name} is not a readable safetensors file (interrupted '
                         f'download?): {error}') from error


def read_state_dict(checkpoint: str | os.PathLike, trust_pickle: bool = False) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint, by :func:`read_checkpoint`.

    Args:
        checkpoint: Path or URL of an MMEngine checkpoint (``state_dict``), a MAE-style one
            (``model``), a plain dict of tensors, or a ``.safetensors`` file.
        trust_pickle: See :func:`read_checkpoint`.

    Returns:
        Tensors on the CPU by name, a ``module.`` prefix of DDP removed.

    Raises:
        ConnectionError: If a URL cannot be fetched.
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is unreadable, holds objects that could run code, or no weights.
    """
    return find_weights(read_checkpoint(checkpoint, trust_pickle), checkpoint)


def find_weights(content: dict, checkpoint: str | os.PathLike) -> dict[str, Tensor]:
    """The weights in what :func:`read_checkpoint` returned; see :func:`read_state_dict`."""
    weights = content
    for key in ('state_dict', 'model'):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            weights = content[key]
            break
    if (not isinstance(weights, dict) or not weights
            or not all(isinstance(value, Tensor) for value in weights.values())):
        found = sorted(map(str, content))[:10] if isinstance(content, dict) else type(content)
        raise ValueError(f"checkpoint {checkpoint} has neither 'state_dict' nor 'model', nor is it "
                         f'a dict of tensors; it holds: {found}')
    if all(name.startswith('module.') for name in weights):
        weights = {name[len('module.'):]: value for name, value in weights.items()}
    return dict(weights)


def misfits(weights: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    """Names in one of two state dicts only, then those of another shape; each part sorted."""
    return sorted(set(weights) ^ set(own)) + sorted(
        name for name in set(weights) & set(own) if weights[name].shape != own[name].shape)


def write_checkpoint(path: str | os.PathLike, weights: dict[str, Tensor], meta: dict,
                     key: str = 'state_dict') -> None:
    """Writes weights; the file is complete or not there.

    Args:
        path: ``.safetensors`` for that format, ``.pth`` or ``.pt`` for torch's. Its folder is made.
        weights: Tensors by name; stored contiguous, each in memory of its own.
        meta: What to note beside them, of types that JSON knows.
        key: Where they stand in a ``.pth`` file. Defaults to MMEngine's ``'state_dict'``.

    Raises:
        OSError: If it cannot be written, for a full disk for example.
        ValueError: If the name ends otherwise.
    """
    path = Path(path)
    if path.suffix not in (_SAFETENSORS, '.pth', '.pt'):
        raise ValueError(f'cannot tell the format of {path} from its name. Remedy: end it with '
                         '.pth or .safetensors')
    weights = {name: value.detach().clone(memory_format=torch.contiguous_format)
               for name, value in weights.items()}
    try:
        with whole_file(path) as part:
            if path.suffix == _SAFETENSORS:
                safetensors.torch.save_file(
                    weights, part, metadata={'format': 'pt', 'meta': json.dumps(meta)})
            else:
                with open(part, 'wb') as file:  # its error says why, where torch's would not
                    torch.save({key: weights, 'meta': meta}, file)
    except SafetensorError as error:
        raise OSError(f'{path} cannot be written: {error}') from error
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def _read_safetensors(path: str) -> dict:
    """``state_dict`` and what :func:`write_checkpoint` noted, or else the file's own strings."""
    with safe_open(path, framework='pt', device='cpu') as file:
        notes = file.metadata() or {}
        weights = {name: file.get_tensor(name) for name in file.keys()}
    try:
        meta = json.loads(notes['meta']) if 'meta' in notes else notes
    except json.JSONDecodeError:
        meta = notes  # somebody else's 'meta'
    return {'state_dict': weights, 'meta': meta}


def _fetch(url: str) -> str:
    """Downloads into ``torch.hub``'s cache, where it is not there yet; returns the path."""
    path = os.path.join(torch.hub.get_dir(), 'checkpoints', os.path.basename(urlparse(url).path))
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.hub.download_url_to_file(url, path, None, progress=False)
    return path
