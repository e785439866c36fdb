# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What a ViT is, read from the shapes of its weights: timm's names, MAE's decoder included.

No shape shows the number of attention heads; it follows from the size if that is one of FMAE's (S,
B, L, H).
"""

import re
from typing import NamedTuple

from torch import Tensor

# (width, blocks) -> letter, MMPretrain's arch (its own 'small' is 768 wide and 8 deep)
SIZES = {(384, 12): ('S', 'deit-small'), (768, 12): ('B', 'base'), (1024, 24): ('L', 'large'),
         (1280, 32): ('H', 'huge')}


class ViTSize(NamedTuple):
    """Sizes of a ViT; 0 and () mean that the part is absent."""

    width: int
    blocks: int
    patch: int
    grid: int  # patches along a side
    hidden: int  # width inside the MLP
    num_classes: int
    identity: tuple[int, ...]  # outputs of each layer of the identity head
    decoder: tuple[int, int, int]  # width, blocks, width inside the MLP

    @property
    def arch(self) -> str | None:
        """MMPretrain's name of the architecture, or None if it has none."""
        known = SIZES.get((self.width, self.blocks))
        return known[1] if known and self.hidden == 4 * self.width else None

    @property
    def img_size(self) -> int:
        """Side of the image in pixels."""
        return self.grid * self.patch

    def describe(self) -> str:
        """A description in one line."""
        if self.arch:
            name = f'ViT-{SIZES[self.width, self.blocks][0]}/{self.patch} (arch={self.arch!r})'
        else:
            name = (f'a ViT without a name (embed_dims={self.width}, num_layers={self.blocks}, '
                    f'feedforward_channels={self.hidden}, patch_size={self.patch})')
        return f'{name}, {self.img_size} px'


def read_size(weights: dict[str, Tensor]) -> ViTSize:
    """Reads the sizes of a ViT and checks that every tensor is there, and of the right shape.

    Args:
        weights: Tensors by timm's names: an encoder, with ``norm`` (pretraining, cls token) or
            ``fc_norm`` (fine-tuned on the mean of the patch tokens); optionally ``head``,
            ``ID_head`` (a layer, or a sequence of layers with GELU between), MAE's decoder.

    Raises:
        ValueError: If a tensor is missing, unknown or of another shape; the message names it.
    """
    def shape(name: str, ndim: int) -> tuple[int, ...]:
        found = tuple(weights[name].shape) if name in weights else ()
        return found if len(found) == ndim else (0, ) * ndim

    def depth(prefix: str) -> int:
        found = [re.match(prefix + r'\.(\d+)\.', name) for name in weights]
        return max((int(match[1]) for match in found if match), default=-1) + 1

    if 'patch_embed.proj.weight' not in weights:
        raise ValueError("no 'patch_embed.proj.weight' among the names "
                         f'{_listing(list(weights))}: this is not a ViT of MAE, FMAE, timm or '
                         'Hugging Face. Remedy: give the file that holds the encoder')
    identity = tuple(int(weights[name].shape[0]) for name in identity_layers(weights))
    size = ViTSize(
        width=shape('patch_embed.proj.weight', 4)[0],
        blocks=depth('blocks'),
        patch=shape('patch_embed.proj.weight', 4)[3],
        grid=int(max(shape('pos_embed', 3)[1] - 1, 0)**0.5),
        hidden=shape('blocks.0.mlp.fc1.weight', 2)[0],
        num_classes=shape('head.weight', 2)[0],
        identity=identity,
        decoder=(shape('mask_token', 3)[2], depth('decoder_blocks'),
                 shape('decoder_blocks.0.mlp.fc1.weight', 2)[0]))
    expected = _shapes(size, weights)
    lines = [f'- {what} ({len(items)}): {_listing(items)}' for what, items in (
        ('missing', [name for name in expected if name not in weights]),
        ('unknown', [name for name in weights if name not in expected]),
        ('of another shape', [
            f'{name} {tuple(weights[name].shape)} instead of {wanted}'
            for name, wanted in expected.items()
            if name in weights and tuple(weights[name].shape) != wanted])) if items]
    if lines:
        raise ValueError('\n'.join([
            f'the weights look like {size.describe()}, but do not fit it:', *lines,
            'Remedy: give the whole file of a plain ViT with one class token, a bias on qkv and '
            'square images; distilled DeiT, register tokens, layer scale and relative positions '
            'are other models.']))
    return size


def identity_layers(weights: dict[str, Tensor]) -> list[str]:
    """Names of the weight matrices of the identity head, first layer first."""
    found = [name for name in weights if re.fullmatch(r'ID_head\.(\d+\.)?weight', name)]
    return sorted(found, key=lambda name: int(re.sub(r'\D', '', name) or 0))


def _shapes(size: ViTSize, weights: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors of such a model; ``weights`` only shows which optional parts exist."""
    def linear(name, inputs, outputs):
        return {f'{name}.weight': (outputs, inputs), f'{name}.bias': (outputs, )}

    def norm(name, width):
        return {f'{name}.weight': (width, ), f'{name}.bias': (width, )}

    def blocks(prefix, number, width, hidden):
        found = {}
        for i in range(number):
            start = f'{prefix}.{i}'
            found |= {**norm(f'{start}.norm1', width), **norm(f'{start}.norm2', width),
                      **linear(f'{start}.attn.qkv', width, 3 * width),
                      **linear(f'{start}.attn.proj', width, width),
                      **linear(f'{start}.mlp.fc1', width, hidden),
                      **linear(f'{start}.mlp.fc2', hidden, width)}
        return found

    def has(part):
        return any(name.startswith(f'{part}.') for name in weights)

    width, tokens = size.width, size.grid**2 + 1
    shapes = {'cls_token': (1, 1, width), 'pos_embed': (1, tokens, width),
              'patch_embed.proj.weight': (width, 3, size.patch, size.patch),
              'patch_embed.proj.bias': (width, ),
              **blocks('blocks', max(size.blocks, 1), width, size.hidden)}
    for name in ('norm', 'fc_norm'):
        if has(name) or name == 'norm' and not has('fc_norm'):
            shapes |= norm(name, width)
    if has('head'):
        shapes |= linear('head', width, size.num_classes)
    inputs = width
    for name, outputs in zip(identity_layers(weights), size.identity):
        shapes |= linear(name.removesuffix('.weight'), inputs, outputs)
        inputs = outputs
    if 'mask_token' in weights or any(name.startswith('decoder_') for name in weights):
        wide, number, hidden = size.decoder
        shapes |= {'mask_token': (1, 1, wide), 'decoder_pos_embed': (1, tokens, wide),
                   **linear('decoder_embed', width, wide),
                   **blocks('decoder_blocks', max(number, 1), wide, hidden),
                   **norm('decoder_norm', wide),
                   **linear('decoder_pred', wide, 3 * size.patch**2)}
    return shapes


def _listing(items: list[str]) -> str:
    """The first twelve items, and the number of the others."""
    more = f' and {len(items) - 12} more' if len(items) > 12 else ''
    return ', '.join(items[:12]) + more
