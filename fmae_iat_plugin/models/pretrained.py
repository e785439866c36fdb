# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Loads a pretrained encoder strictly, and from files that cannot run code.

MMEngine's ``init_cfg=dict(type='Pretrained', ...)`` loads with ``strict=False``: a wrong prefix or
architecture leaves a randomly initialised encoder and a warning. It also falls back to a full
unpickling, which runs whatever a hostile file contains. Both are avoided here.
"""

import os
import pickle
import re
from urllib.error import URLError

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

# Parts of a checkpoint that an encoder has no use for: the decoder of MAE pretraining (neck,
# head) and everything around the encoder of an AU classifier.
_NOT_ENCODER = ('neck.', 'head.', 'adversary.', 'data_preprocessor.', 'target_generator.',
                'target.')
_ARCH_NAMES = {(384, 12): "ViT-S, arch='deit-small'", (768, 12): "ViT-B, arch='base'",
               (1024, 24): "ViT-L, arch='large'", (1280, 32): "ViT-H, arch='huge'"}


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


def read_state_dict(checkpoint: str | os.PathLike) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint without unpickling arbitrary objects.

    Args:
        checkpoint: Path, or http(s) URL, of a ``.pth`` file: an MMEngine checkpoint
            (``state_dict``), a MAE-style one (``model``) or a plain dict of tensors. A URL is kept
            in ``torch.hub``'s cache; processes that fetch it at the same time do not disturb
            each other.

    Returns:
        Tensors on the CPU by name, a ``module.`` prefix of DDP removed.

    Raises:
        ConnectionError: If a URL cannot be fetched.
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is unreadable, holds objects that could run code, or no weights.
    """
    path = os.fspath(checkpoint)
    discarded = [(_Discarded, name) for name in _DISCARDED_NAMES]
    try:
        with torch.serialization.safe_globals(discarded):
            if path.startswith(('http://', 'https://')):
                content = torch.hub.load_state_dict_from_url(
                    path, map_location='cpu', progress=False, weights_only=True)
            else:
                content = torch.load(
                    os.path.expanduser(path), map_location='cpu', weights_only=True)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'checkpoint {path} does not exist. Remedy: set model.pretrained '
                                'to a local file (pretraining leaves work_dirs/CONFIG/epoch_N.pth)'
                                ' or to an address that starts with http:// or https://'
                                ) from error
    except URLError as error:
        raise ConnectionError(f'cannot download checkpoint {path}: {error}') from error
    except pickle.UnpicklingError as error:
        reason = re.search(r'GLOBAL \S+|invalid load key.*', str(error))
        reason = reason.group() if reason else str(error).splitlines()[-1]
        raise ValueError(
            f'checkpoint {path} was refused ({reason}): it is no file of tensors (a saved web page'
            ' or Git LFS pointer looks like this), or holds Python objects, and opening those '
            "could run code. Ask its author for a file with only the 'state_dict'") from error
    except (RuntimeError, EOFError, IsADirectoryError, AssertionError, IndexError) as error:
        raise ValueError(f'checkpoint {path} is not a readable torch file (interrupted download?):'
                         f' {error}') from error
    weights = content
    for key in ('state_dict', 'model'):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            weights = content[key]
            break
    if (not isinstance(weights, dict) or not weights
            or not all(isinstance(value, Tensor) for value in weights.values())):
        found = sorted(map(str, content))[:10] if isinstance(content, dict) else type(content)
        raise ValueError(f"checkpoint {path} has neither 'state_dict' nor 'model', nor is it a "
                         f'dict of tensors; it holds: {found}')
    if all(name.startswith('module.') for name in weights):
        weights = {name[len('module.'):]: value for name, value in weights.items()}
    return dict(weights)


def load_pretrained_encoder(backbone: nn.Module, checkpoint: str | os.PathLike) -> None:
    """Loads the encoder of MAE pretraining, or of an AU classifier, into a VisionTransformer.

    Every parameter of the backbone is loaded, except ``ln2`` (the norm on the pooled feature),
    which MAE does not have: it stays at its initial 1 and 0. Left over may be only ``ln1`` (MAE's
    final norm, unused in fine-tuning), ``mask_token``, and what surrounds an encoder: decoder,
    heads, preprocessor. Anything else raises before the backbone is touched. A position
    embedding for another image size is interpolated (bicubic) by the backbone itself, and logged.

    Args:
        backbone: MMPretrain ``VisionTransformer``.
        checkpoint: Path or URL, see :func:`read_state_dict`; names either with the prefix
            ``backbone.`` (whole models) or without (encoder only).

    Raises:
        ConnectionError: If a URL cannot be fetched.
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be read safely or does not fit; the message lists what is
            missing, left over or of another shape, and says what to do.
    """
    weights = read_state_dict(checkpoint)
    if any(re.search(r'(^|\.)blocks\.\d+\.', name) or 'patch_embed.proj.' in name
           for name in weights):
        raise ValueError(
            f"checkpoint {checkpoint} uses timm's names (blocks.0.attn.qkv, patch_embed.proj), as "
            'MAE and the FMAE authors release theirs: convert it to MMPretrain names first '
            '(tools/model_converters)')
    prefix = 'backbone.' if any(name.startswith('backbone.') for name in weights) else ''
    encoder = {name[len(prefix):]: value for name, value in weights.items()
               if name.startswith(prefix)}
    outside = [name for name in weights if not name.startswith(prefix)]
    own = backbone.state_dict()

    fresh = [name for name in own if name.startswith('ln2.')]
    if any(name in encoder for name in fresh):
        fresh = []
    missing = [name for name in own if name not in encoder and name not in fresh]
    left_over = outside + [name for name in encoder if name not in own]
    refused = [name for name in left_over
               if name in outside and not name.startswith(_NOT_ENCODER)
               or name not in outside and not _may_be_left_over(name, prefix)]
    shapes = [f'{name} {tuple(encoder[name].shape)} instead of {tuple(own[name].shape)}'
              for name in own if name in encoder and not _fits(name, encoder[name], own[name])]
    if missing or refused or shapes:
        raise ValueError(_explain(checkpoint, encoder, own, missing, refused, shapes))

    logger = MMLogger.get_current_instance()
    if 'pos_embed' in own and encoder['pos_embed'].shape != own['pos_embed'].shape:
        logger.info(f'{checkpoint}: position embedding {tuple(encoder["pos_embed"].shape)} is '
                    f'interpolated to {tuple(own["pos_embed"].shape)}')
    known = {name: encoder.get(name, own[name]) for name in own}
    backbone.load_state_dict(known, strict=True)
    parts = sorted({name.split('.')[0] for name in left_over})
    logger.info(f'{checkpoint}: loaded {len(own) - len(fresh)} tensors of {_describe(encoder)}; '
                f'left at their initial values: {fresh or "none"}; not used: {parts or "nothing"}')


def _may_be_left_over(name: str, prefix: str) -> bool:
    """Tells whether an encoder may do without this one; in a bare file also what surrounds it."""
    return (name == 'mask_token' or name.startswith('ln1.')
            or not prefix and name.startswith(_NOT_ENCODER))


def _fits(name: str, value: Tensor, own: Tensor) -> bool:
    """Tells whether a shape is right; a position embedding may have another, square, grid."""
    if name != 'pos_embed' or value.shape == own.shape:
        return value.shape == own.shape
    if value.ndim != 3 or value.shape[0] != 1 or value.shape[2] != own.shape[2]:
        return False
    patches = value.shape[1] - 1
    return patches > 0 and int(patches**0.5)**2 == patches


def _describe(weights: dict[str, Tensor]) -> str:
    """Names the architecture of a VisionTransformer's state dict."""
    depths = [int(name.split('.')[1]) for name in weights if re.match(r'layers\.\d+\.', name)]
    blocks = max(depths, default=-1) + 1
    kernel = weights.get('patch_embed.projection.weight')
    if kernel is None or kernel.ndim != 4 or not blocks:
        return 'no VisionTransformer'
    width, patch = kernel.shape[0], kernel.shape[-1]
    name = _ARCH_NAMES.get((width, blocks), 'unnamed arch')
    return f'a {name} ({width} wide, {blocks} blocks, patch {patch})'


def _explain(checkpoint, encoder: dict, own: dict, missing: list[str], refused: list[str],
             shapes: list[str]) -> str:
    """Words the error of a checkpoint that does not fit."""
    def listing(items):
        more = f' and {len(items) - 12} more' if len(items) > 12 else ''
        return ', '.join(items[:12]) + more

    lines = [f'checkpoint {checkpoint} does not fit the backbone, nothing was loaded:']
    lines += [f'- {what} ({len(items)}): {listing(items)}' for what, items in (
        ('missing from the checkpoint', missing), ('unknown to the backbone', refused),
        ('of another shape', shapes)) if items]
    theirs, ours = _describe(encoder), _describe(own)
    if theirs != ours:
        lines.append(f'The checkpoint is {theirs}, the backbone {ours}: choose the checkpoint or '
                     'backbone.arch and patch_size to match.')
    elif any(name.startswith('ln1.') for name in missing):
        lines.append('Set backbone.final_norm=False: fine-tuning does not use ln1.')
    elif any(name.startswith('ln2.') for name in refused):
        lines.append("Set backbone.out_type='avg_featmap': this encoder was fine-tuned with ln2.")
    else:
        lines.append('Only ln2 may be missing; only ln1, mask_token and the parts '
                     f'{", ".join(part[:-1] for part in _NOT_ENCODER)} may be left over. Check '
                     'that the file is complete and that the backbone has its options.')
    return '\n'.join(lines)
