# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Reads and writes checkpoints without ever running what a file contains.

A ``.pth`` file is a pickle, and unpickling calls whatever the file names. MMEngine falls back to
such a full unpickling; this module does it only if the caller says that the file is trusted. A
``.safetensors`` file holds tensors and strings, and nothing that could be called.
"""

import codecs
import json
import os
import pickle
import re
import struct
from pathlib import Path
from typing import Callable

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fmae_iat_plugin.files import whole_file

from .unpickling import STAND_INS, plain
from .url_cache import cached

_SAFETENSORS = '.safetensors'
#: what torch raises, beside UnpicklingError, for bytes that are no file of its own
_UNREADABLE = (RuntimeError, EOFError, AssertionError, LookupError, ValueError, TypeError,
               AttributeError, OverflowError, OSError, MemoryError, struct.error)


def read_checkpoint(checkpoint: str | os.PathLike, trust_pickle: bool = False,
                    map_location: str | torch.device | Callable | None = 'cpu') -> dict:
    """Reads a checkpoint safely; every load goes through it, MMEngine's included (:mod:`.guard`).

    Args:
        checkpoint: Path, or http(s) URL, of a file of torch (``.pth``) or of safetensors. The
            content decides which it is, not the name. A URL is kept in ``torch.hub``'s cache, see
            :func:`~.url_cache.cached`.
        trust_pickle: Unpickle a ``.pth`` file without limits, which runs any code in it. Use it
            only for your own files. Defaults to False: tensors, numbers, strings, arrays of
            numbers, containers and MMEngine's log histories are read, a few harmless classes are
            replaced by an empty object, and anything else is refused.
        map_location: Where the tensors go, see ``torch.load``. None: the CPU.

    Returns:
        The content of the file: the dict of a ``.pth`` file; for a safetensors file,
        ``state_dict`` and, if :func:`write_checkpoint` wrote it, ``meta``.

    Raises:
        ConnectionError: If a URL cannot be fetched.
        FileNotFoundError: If the file does not exist.
        PermissionError: If it may not be read.
        ValueError: If the file is unreadable or holds objects that could run code.
    """
    name = os.fspath(checkpoint)
    path = os.path.expanduser(name)
    map_location = 'cpu' if map_location is None else map_location
    if name.startswith(('http://', 'https://')):
        path = os.fspath(cached(name))
    try:
        with open(path, 'rb') as file:
            head = file.read(512)
    except IsADirectoryError as error:
        raise ValueError(f'checkpoint {name} is a folder. Remedy: name a file in it') from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f'checkpoint {name} does not exist. Remedy: name a local file '
                                '(pretraining writes work_dirs/CONFIG/epoch_N.pth; a config names '
                                'it in model.pretrained) or an address that starts with http:// '
                                'or https://') from error
    except OSError as error:
        raise type(error)(f'checkpoint {name} cannot be read: {error.strerror}') from error
    other = _no_checkpoint(head)
    if other:
        raise ValueError(f'checkpoint {name} is {other}')
    if head[8:9] == b'{' and head[:2] != b'PK':  # behind the length of a header in JSON
        return _read_safetensors(path, name, map_location)
    try:
        with torch.serialization.safe_globals([] if trust_pickle else STAND_INS):
            return plain(torch.load(path, map_location=map_location,
                                    weights_only=not trust_pickle))
    except pickle.UnpicklingError as error:
        reason = re.search(r'GLOBAL \S+|invalid load key.*', str(error))
        reason = reason.group() if reason else str(error).splitlines()[-1]
        raise ValueError(
            f'checkpoint {name} was refused ({reason}): it is not a file of tensors, or holds '
            'Python objects, and opening those could run code. Ask its author for a file with only '
            "the 'state_dict', or for safetensors. For a file of your own, --trust-pickle (of "
            'tools/train.py, test.py and model_converters) runs the code in it') from error
    except _UNREADABLE as error:
        raise ValueError(f'checkpoint {name} is not a readable torch file (interrupted download?):'
                         f' {error}') from error


def _no_checkpoint(head: bytes) -> str:
    """What a file is that was saved in the place of a checkpoint, and the remedy; '' = maybe one.

    Args:
        head: Its first bytes.
    """
    text = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith((b'<!doctype', b'<html', b'<?xml', b'<head', b'<!--')):
        return ('a saved web page: the server wanted something else (a sign-in, a quota, a '
                'confirmation). Remedy: fetch the file itself, in a browser if need be')
    if text.startswith(b'version https://git-lfs'):
        return 'the pointer of Git LFS, not the file. Remedy: git lfs pull'
    if text.startswith((b'{', b'[')):
        return ('a text in JSON (an answer of a server, or the index of a checkpoint in several '
                'files). Remedy: fetch the file of weights itself')
    return 'empty. Remedy: fetch or copy it again' if not head else ''


def read_state_dict(checkpoint: str | os.PathLike, trust_pickle: bool = False) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint with :func:`read_checkpoint`.

    Args:
        checkpoint: Path or URL of an MMEngine checkpoint (``state_dict``), a MAE-style one
            (``model``), a plain dict of tensors, or a ``.safetensors`` file.
        trust_pickle: See :func:`read_checkpoint`.

    Returns:
        Tensors on the CPU by name, without the prefix ``module.`` of DDP.

    Raises:
        ConnectionError: If a URL cannot be fetched.
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is unreadable, holds objects that could run code, no weights, or
            weights that are not finite.
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
        raise ValueError(f"checkpoint {checkpoint} has neither 'state_dict' nor 'model', and is "
                         f'not a dict of tensors; it holds: {found}')
    if all(name.startswith('module.') for name in weights):
        weights = {name[len('module.'):]: value for name, value in weights.items()}
    check_finite(weights, checkpoint)
    return dict(weights)


def check_finite(weights: dict[str, Tensor], checkpoint: str | os.PathLike) -> None:
    """Refuses what a diverged training left.

    Args:
        weights: Tensors by name; what is no tensor of numbers is not looked at.
        checkpoint: Its name, for the message.

    Raises:
        ValueError: If a number is NaN or infinite; the message names the tensors.
    """
    bad = [name for name, value in weights.items()
           if isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())
           and not torch.isfinite(value).all()]
    if bad:
        raise ValueError(
            f'checkpoint {checkpoint} is not finite: {len(bad)} of {len(weights)} tensors hold NaN '
            f'or infinity ({", ".join(map(str, bad[:3]))}{", ..." * (len(bad) > 3)}). Remedy: an '
            'earlier checkpoint, from before the training diverged and its loss became NaN')


def misfits(weights: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    """Names that only one of two state dicts has, then names of another shape, each part sorted."""
    return sorted(set(weights) ^ set(own)) + sorted(
        name for name in set(weights) & set(own) if weights[name].shape != own[name].shape)


def write_checkpoint(path: str | os.PathLike, weights: dict[str, Tensor], meta: dict,
                     key: str = 'state_dict') -> None:
    """Writes weights; the file is complete or absent.

    Args:
        path: ``.safetensors`` for that format, ``.pth`` or ``.pt`` for torch's; its folder is made.
        weights: Tensors by name; each is stored contiguously in its own memory.
        meta: Values to store beside them, of types that JSON knows.
        key: Key of the weights in a ``.pth`` file. Defaults to MMEngine's ``'state_dict'``.

    Raises:
        OSError: If it cannot be written, such as on a full disk.
        ValueError: If the name has another suffix.
    """
    path = Path(path)
    if path.suffix not in (_SAFETENSORS, '.pth', '.pt'):
        raise ValueError(f'cannot tell the format of {path} from its name. Remedy: end it with '
                         '.pth or .safetensors')
    weights = {name: value.detach().clone(memory_format=torch.contiguous_format)
               for name, value in weights.items()}
    with whole_file(path) as part:
        if path.suffix == _SAFETENSORS:
            _write_safetensors(weights, part, {'format': 'pt', 'meta': json.dumps(meta)})
        else:
            _write_torch({key: weights, 'meta': meta}, part)


def _write_torch(content: dict, path: Path) -> None:
    """torch hides the system's error behind one of its own format, which is raised here."""
    with open(path, 'wb') as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            hidden = error.__context__
            if isinstance(hidden, OSError):
                raise OSError(hidden.errno, hidden.strerror) from error
            raise


def _write_safetensors(weights: dict[str, Tensor], path: Path, notes: dict[str, str]) -> None:
    """The same for safetensors, whose message ends with the system's number."""
    try:
        safetensors.torch.save_file(weights, path, metadata=notes)
    except SafetensorError as error:
        number = re.search(r'os error (\d+)', str(error))
        if number:
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        raise


def _read_safetensors(path: str, name: str, map_location) -> dict:
    """``state_dict`` and what :func:`write_checkpoint` noted, or else the file's own strings."""
    device = str(map_location) if isinstance(map_location, (str, torch.device)) else 'cpu'
    try:
        with safe_open(path, framework='pt', device=device) as file:
            notes = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f'checkpoint {name} is not a readable safetensors file (interrupted '
                         f'download?): {error}') from error
    try:
        meta = json.loads(notes['meta']) if 'meta' in notes else notes
    except json.JSONDecodeError:
        meta = notes  # somebody else's 'meta'
    return {'state_dict': weights, 'meta': meta}
