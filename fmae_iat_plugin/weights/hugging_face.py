# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of a ViT, or of a MAE with its decoder, changed to timm's.

``ViTModel``, ``ViTForImageClassification`` and ``ViTMAEForPreTraining`` of ``transformers`` keep
query, key and value apart; timm stacks the three in one matrix.
"""

import re

import torch
from torch import Tensor

_STEMS = (  # Hugging Face's, without `vit.`, -> timm's
    (r'embeddings\.cls_token', 'cls_token'),
    (r'embeddings\.position_embeddings', 'pos_embed'),
    (r'embeddings\.patch_embeddings\.projection', 'patch_embed.proj'),
    (r'encoder\.layer\.(\d+)\.', r'blocks.\1.'),
    (r'layernorm(?=\.)', 'norm'),
    (r'decoder\.decoder_layers\.(\d+)\.', r'decoder_blocks.\1.'),
    (r'decoder\.(?=decoder_|mask_token)', ''),
)
_IN_BLOCK = (
    ('attention.output.dense', 'attn.proj'),
    ('attention.attention.', 'attn.'),
    ('intermediate.dense', 'mlp.fc1'),
    ('output.dense', 'mlp.fc2'),
    ('layernorm_before', 'norm1'),
    ('layernorm_after', 'norm2'),
)


def is_hugging_face(weights: dict[str, Tensor]) -> bool:
    """Whether a state dict has Hugging Face's names."""
    return any(name.removeprefix('vit.').startswith('embeddings.') for name in weights)


def hugging_face_to_timm(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Renames the tensors and joins ``query``, ``key``, ``value`` (``[D, D]``) to ``[3D, D]``.

    Args:
        weights: Tensors by Hugging Face's names. A name without a rule is kept.

    Returns:
        Tensors by timm's names.

    Raises:
        ValueError: If a block lacks one of the three.
    """
    renamed = {}
    for name, value in weights.items():
        new = name.removeprefix('vit.')
        for old_stem, stem in _STEMS:
            new, found = re.subn(f'^{old_stem}', stem, new)
            if found:
                break
        if re.match(r'(decoder_)?blocks\.\d+\.', new):
            for old_part, part in _IN_BLOCK:
                if old_part in new:
                    new = new.replace(old_part, part)
                    break
        renamed[new] = value
    joined = {}
    for name, value in renamed.items():
        match = re.fullmatch(r'(.*\.attn\.)(query|key|value)\.(weight|bias)', name)
        if match is None:
            joined[name] = value
            continue
        start, _, leaf = match.groups()
        three = [f'{start}{part}.{leaf}' for part in ('query', 'key', 'value')]
        missing = [part for part in three if part not in renamed]
        if missing:
            raise ValueError(f'the Hugging Face checkpoint has {name} but not {missing}. Remedy: '
                             'fetch the whole file; shards (model-0000N-of-...) must be joined')
        joined[f'{start}qkv.{leaf}'] = torch.cat([renamed[part] for part in three])
    return joined
