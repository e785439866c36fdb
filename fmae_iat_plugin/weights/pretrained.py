# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Loads a pretrained encoder strictly.

MMEngine's ``init_cfg=dict(type='Pretrained', ...)`` loads with ``strict=False``: a wrong prefix or
architecture then gives a randomly initialised encoder and a warning. Here it is an error.
"""

import os
import re

from mmengine.logging import MMLogger
from torch import Tensor, nn

from .checkpoint import read_state_dict
from .vit_size import SIZES

# Parts of a checkpoint that an encoder does not need: the decoder of MAE pretraining (neck, head)
# and everything around the encoder of an AU classifier.
_NOT_ENCODER = ('neck.', 'head.', 'adversary.', 'data_preprocessor.', 'target_generator.',
                'target.')


def load_pretrained_encoder(backbone: nn.Module, checkpoint: str | os.PathLike) -> None:
    """Loads the encoder of MAE pretraining, or of an AU classifier, into a VisionTransformer.

    Every parameter of the backbone is loaded, except ``ln2`` (the norm on the pooled feature),
    which MAE does not have: it stays at its initial 1 and 0. The file may also hold ``ln1`` (MAE's
    final norm, unused in fine-tuning), ``mask_token``, and what surrounds an encoder: decoder,
    heads, preprocessor. Anything else raises an error before the backbone is changed. The backbone
    interpolates a position embedding for another image size (bicubic), and this is logged.

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
            '(python tools/model_converters/fmae_to_mmpretrain.py SRC DST)')
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
                f'kept at their initial values: {fresh or "none"}; not used: {parts or "nothing"}')


def _may_be_left_over(name: str, prefix: str) -> bool:
    """Whether an encoder may ignore this tensor; in a bare file also what surrounds an encoder."""
    return (name == 'mask_token' or name.startswith('ln1.')
            or not prefix and name.startswith(_NOT_ENCODER))


def _fits(name: str, value: Tensor, own: Tensor) -> bool:
    """Whether a shape is right; a position embedding may have another square grid."""
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
        return 'not a VisionTransformer'
    width, patch = kernel.shape[0], kernel.shape[-1]
    letter, arch = SIZES.get((width, blocks), ('', ''))
    name = f'ViT-{letter}, arch={arch!r}' if arch else 'unnamed arch'
    return f'a {name} ({width} wide, {blocks} blocks, patch {patch})'


def _explain(checkpoint, encoder: dict, own: dict, missing: list[str], refused: list[str],
             shapes: list[str]) -> str:
    """The error message for a checkpoint that does not fit."""
    def listing(items):
        more = f' and {len(items) - 12} more' if len(items) > 12 else ''
        return ', '.join(items[:12]) + more

    lines = [f'checkpoint {checkpoint} does not fit the backbone; nothing was loaded:']
    lines += [f'- {what} ({len(items)}): {listing(items)}' for what, items in (
        ('missing from the checkpoint', missing), ('unknown to the backbone', refused),
        ('of another shape', shapes)) if items]
    theirs, ours = _describe(encoder), _describe(own)
    if theirs != ours:
        lines.append(f'The checkpoint is {theirs}, the backbone is {ours}: choose the checkpoint '
                     'or backbone.arch and patch_size to match.')
    elif any(name.startswith('ln1.') for name in missing):
        lines.append('Set backbone.final_norm=False: fine-tuning does not use ln1.')
    elif any(name.startswith('ln2.') for name in refused):
        lines.append("Set backbone.out_type='avg_featmap': this encoder was fine-tuned with ln2.")
    else:
        lines.append('Only ln2 may be missing; only ln1, mask_token and the parts '
                     f'{", ".join(part[:-1] for part in _NOT_ENCODER)} may be left over. Check '
                     'that the file is complete and that the backbone has the right options.')
    return '\n'.join(lines)
