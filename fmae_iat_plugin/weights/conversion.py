# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Weights in and out: the names of MAE, FMAE and timm to MMPretrain's, and back.

The same network has the same tensors under both kinds of names::

    MAE, FMAE, timm            MMPretrain
    blocks.0.attn.qkv          backbone.layers.0.attn.qkv
    norm                       backbone.ln1                 MAE's last norm
    fc_norm                    backbone.ln2                 norm of the mean of the patch tokens
    head, ID_head              head.fc, adversary.head.fc   AUs, identities
    decoder_blocks.0.mlp.fc1   neck.decoder_blocks.0.ffn.layers.0.0

So only names change, and the way back restores every tensor bit for bit. The only exception is a
position embedding that was interpolated to another image size.
"""

import os
import re
from contextlib import suppress
from typing import NamedTuple, Sequence

import numpy as np
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

from fmae_iat_plugin.action_units import au_name, check_same_outputs, named_outputs, parse_au

from .checkpoint import find_weights, read_checkpoint, write_checkpoint
from .hugging_face import hugging_face_to_timm, is_hugging_face
from .vit_size import ViTSize, identity_layers, read_size

_STEMS = {
    'cls_token': 'backbone.cls_token',
    'pos_embed': 'backbone.pos_embed',
    'patch_embed.proj': 'backbone.patch_embed.projection',
    'norm': 'backbone.ln1',
    'fc_norm': 'backbone.ln2',
    'head': 'head.fc',
    'mask_token': 'neck.mask_token',
    'decoder_embed': 'neck.decoder_embed',
    'decoder_pos_embed': 'neck.decoder_pos_embed',
    'decoder_norm': 'neck.ln1',
    'decoder_pred': 'neck.decoder_pred',
}
_BLOCKS = {'blocks': 'backbone.layers', 'decoder_blocks': 'neck.decoder_blocks'}
_IN_BLOCK = {
    'norm1': 'ln1',
    'attn.qkv': 'attn.qkv',
    'attn.proj': 'attn.proj',
    'norm2': 'ln2',
    'mlp.fc1': 'ffn.layers.0.0',
    'mlp.fc2': 'ffn.layers.1',
}
# A classifier on the class token, trained for other classes: a starting point does not need it.
_CLASS_TOKEN_HEAD = ('head.', 'classifier.', 'pooler.')
_NO_WEIGHTS = ('data_preprocessor.', 'target_generator.')  # of an MMPretrain model


class Converted(NamedTuple):
    """Weights under their new names, the model that they are, and the names that were left out."""

    weights: dict[str, Tensor]
    size: ViTSize
    left_out: list[str]


def to_mmpretrain(weights: dict[str, Tensor], img_size: int | None = None) -> Converted:
    """Renames the weights of MAE, FMAE, FMAE-IAT, timm or Hugging Face to MMPretrain's names.

    A model with ``fc_norm`` is an AU classifier and keeps its ``head`` and ``ID_head``. Without
    ``fc_norm``, a head is on the class token and knows other classes (timm, Hugging Face), so it
    is left out.

    Args:
        weights: Tensors by name.
        img_size: Side in pixels of the future images. The position embeddings are interpolated
            (bicubic, as MAE does for fine-tuning). Defaults to None: as in the source.

    Raises:
        ValueError: If the weights are not those of such a ViT, or ``img_size`` is not a multiple
            of the patch size.
    """
    if any('patch_embed.projection.' in name for name in weights):
        raise ValueError("the weights have MMPretrain's names already. Remedy: use them as they "
                         'are; mmpretrain_to_fmae.py converts them back')
    if is_hugging_face(weights):
        weights = hugging_face_to_timm(weights)
    left_out = []
    if not any(name.startswith('fc_norm.') for name in weights):
        left_out = [name for name in weights if name.startswith(_CLASS_TOKEN_HEAD)]
    weights = {name: value for name, value in weights.items() if name not in left_out}
    size = read_size(weights)
    if img_size is not None and img_size != size.img_size:
        weights = _interpolate(weights, size, img_size)
        size = size._replace(grid=img_size // size.patch)
    last = identity_layers(weights)[-1:]
    names = {name: _rename(name, _STEMS, _BLOCKS, _IN_BLOCK) for name in weights}
    for name in weights:
        if name.startswith('ID_head.'):
            layer, _, leaf = name.rpartition('.')
            is_last = f'{layer}.weight' in last
            names[name] = (f'adversary.head.fc.{leaf}' if is_last else
                           f'adversary.head.hidden.{layer.removeprefix("ID_head.")}.{leaf}')
    return Converted({names[name]: value for name, value in weights.items()}, size, left_out)


def to_fmae(weights: dict[str, Tensor]) -> Converted:
    """Renames the weights of an ``AUClassifier``, MMPretrain's MAE or a backbone to MAE's names.

    Args:
        weights: Tensors by MMPretrain's names, with or without ``backbone.``.

    Raises:
        ValueError: If a tensor is missing, or the authors' models do not have it.
    """
    if 'patch_embed.proj.weight' in weights:
        raise ValueError("the weights have MAE's and timm's names already. Remedy: use them as "
                         'they are; fmae_to_mmpretrain.py converts them for MMPretrain')
    left_out = [name for name in weights if name.startswith(_NO_WEIGHTS)]
    weights = {name: value for name, value in weights.items() if name not in left_out}
    if not any(name.startswith('backbone.') for name in weights):
        weights = {f'backbone.{name}': value for name, value in weights.items()}
    tables = [{new: old for old, new in table.items()} for table in (_STEMS, _BLOCKS, _IN_BLOCK)]
    hidden = {int(match[1]) for match in (
        re.match(r'adversary\.head\.hidden\.(\d+)\.', name) for name in weights) if match}
    last = f'ID_head.{max(hidden) + 2}' if hidden else 'ID_head'
    names = {}
    for name in weights:
        new = _rename(name, *tables)
        new = re.sub(r'^adversary\.head\.hidden\.', 'ID_head.', new)
        names[name] = re.sub(r'^adversary\.head\.fc\.', f'{last}.', new)
    renamed = {names[name]: value for name, value in weights.items()}
    return Converted(renamed, read_size(renamed), left_out)


def fmae_to_mmpretrain(source: str | os.PathLike, target: str | os.PathLike,
                       img_size: int | None = None, aus: Sequence[int] = (),
                       trust_pickle: bool = False) -> Converted:
    """Converts a file with :func:`to_mmpretrain`.

    A file in MMPretrain's names, such as a checkpoint of a training, keeps its weights and what its
    ``meta`` notes in plain values (action units, thresholds, epoch), and loses everything else
    that it holds: the copy can be handed on, and resumes no training.

    Args:
        source: Path or URL of a ``.pth`` or ``.safetensors`` file.
        target: ``.pth`` or ``.safetensors`` file to write.
        img_size: See :func:`to_mmpretrain`.
        aus: Numbers of the AUs in the order of the head's outputs. They are stored as
            ``dataset_meta``, because no checkpoint of the authors names them.
        trust_pickle: See :func:`fmae_iat_plugin.weights.checkpoint.read_checkpoint`.

    Raises:
        ConnectionError, FileNotFoundError: If the source cannot be fetched.
        ValueError: If it is refused or does not fit, or ``aus`` does not fit the head or the notes
            of the source.
    """
    converted, meta = _explained(_to_mmpretrain, source, trust_pickle, img_size)
    size = converted.size
    if aus and len(aus) != size.num_classes:
        raise ValueError(f'{len(aus)} AUs were given ({list(aus)}) for a head with '
                         f'{size.num_classes} outputs in {source}')
    check_same_outputs(named_outputs(meta.get('dataset_meta')), named_outputs(dict(aus=aus)),
                       os.fspath(source), '--aus')
    meta.update(source=os.path.basename(os.fspath(source)), size=size.describe(), arch=size.arch,
                img_size=size.img_size, patch_size=size.patch, num_classes=size.num_classes,
                num_subjects=size.identity[-1] if size.identity else 0)
    if aus:
        meta['dataset_meta'] = {**meta.get('dataset_meta', {}),
                                'classes': [au_name(parse_au(au)) for au in aus],
                                'aus': list(map(parse_au, aus))}
    write_checkpoint(target, converted.weights, meta)
    return converted


def mmpretrain_to_fmae(source: str | os.PathLike, target: str | os.PathLike,
                       trust_pickle: bool = False) -> Converted:
    """Converts a file by :func:`to_fmae`; the weights stand under ``model``, as the authors' do.

    What the source notes of its action units and thresholds stands beside them, for the way back.
    """
    converted, meta = _explained(to_fmae, source, trust_pickle)
    meta['source'] = os.path.basename(os.fspath(source))
    write_checkpoint(target, converted.weights, meta, key='model')
    return converted


def _to_mmpretrain(weights: dict[str, Tensor], img_size: int | None) -> Converted:
    """:func:`to_mmpretrain`, or the same weights where they have these names already."""
    if not any('patch_embed.projection.' in name for name in weights):
        return to_mmpretrain(weights, img_size)
    size = to_fmae(weights).size
    if img_size is not None and img_size != size.img_size:
        weights = _interpolate(weights, size, img_size)
        size = size._replace(grid=img_size // size.patch)
    return Converted(weights, size, [])


def _plain(value):
    """The parts of a note that JSON knows; raises TypeError for anything else."""
    if isinstance(value, dict):
        kept = {}
        for key, item in value.items():
            with suppress(TypeError):
                kept[str(key)] = _plain(item)
        return kept
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist())
    if value is not None and not isinstance(value, (str, int, float, bool)):
        raise TypeError(type(value))
    return value


def _explained(convert, source, trust_pickle: bool, *options) -> tuple[Converted, dict]:
    """Reads and renames, also what the file notes; an error says which file it is about."""
    content = read_checkpoint(source, trust_pickle)
    weights = find_weights(content, source)
    meta = content.get('meta') if isinstance(content, dict) else None
    try:
        notes = _plain(meta) if isinstance(meta, dict) else {}
        notes.pop('config', None)  # MMEngine runs it when it resumes
        return convert(weights, *options), notes
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error


def _rename(name: str, stems: dict[str, str], blocks: dict[str, str],
            in_block: dict[str, str]) -> str:
    """The new name, or the old one if no rule applies."""
    match = re.fullmatch(r'(.+?)(\.weight|\.bias)?', name)
    if match is None:  # empty, or with a line break
        return name
    stem, leaf = match[1], match[2] or ''
    if stem in stems:
        return stems[stem] + leaf
    match = re.fullmatch(r'(.+?)\.(\d+)\.(.+)', stem)
    if match and match[1] in blocks and match[3] in in_block:
        return f'{blocks[match[1]]}.{match[2]}.{in_block[match[3]]}{leaf}'
    return name


def _interpolate(weights: dict[str, Tensor], size: ViTSize, img_size: int) -> dict[str, Tensor]:
    """The position embeddings ``[1, 1 + grid * grid, D]`` for another grid."""
    if img_size <= 0 or img_size % size.patch:
        raise ValueError(f'img_size is {img_size}. Remedy: set a multiple of the patch size '
                         f'{size.patch}')
    old, new = (size.grid, ) * 2, (img_size // size.patch, ) * 2
    return {name: resize_pos_embed(value, old, new) if name.endswith('pos_embed') else value
            for name, value in weights.items()}
