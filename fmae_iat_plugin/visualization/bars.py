# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Bars of action units as HTML for phones too: one block per face, models side by side."""

from base64 import b64encode
from html import escape
from typing import Dict, Optional, Sequence, Tuple

from fmae_iat_plugin.action_units import ACTION_UNITS, au_name

from .style import PALETTE

CSS = '''
.au-face {margin: 0 0 1rem}
.au-face h4 {display: inline-block; margin: 0 0 .4rem; padding: .1rem .6rem; border-radius: 4px;
  color: #fff; background: #111}
.au-row {display: grid; grid-template-columns: minmax(9rem, 1fr) repeat(var(--models), 2fr);
  gap: .1rem 1rem; align-items: center; line-height: 1.5}
.au-head {font-weight: 600}
.au-cell {display: grid; grid-template-columns: 1fr 2.6rem; gap: .4rem; align-items: center}
.au-cell output {font-variant-numeric: tabular-nums; text-align: right}
.au-bar {height: .8rem; background: rgba(128, 128, 128, .25); border-radius: 2px; overflow: hidden}
.au-bar i {display: block; height: 100%; background: #9A9A9A}
.au-bar i.present {background: #0072B2}
.au-present {font-weight: 600}
.au-wide {overflow-x: auto}
.au-wide img {width: 100%; min-width: 600px; max-width: none}
@media (max-width: 640px) {
  .au-row {grid-template-columns: repeat(var(--models), 1fr)}
  .au-row > :first-child {grid-column: 1 / -1}
  .au-head > :first-child {display: none}
}
'''

Cell = Optional[Tuple[float, bool, Optional[float]]]


def bars_html(faces: Dict[int, Dict[int, Dict[str, Cell]]], models: Sequence[str]) -> str:
    """A block for each face.

    Args:
        faces: face_id -> AU -> model -> (probability in [0, 1], present, intensity in [0, 5] or
            None); None: not predicted. The bar is the intensity where there is one.
        models: Names of the models, in order.
    """
    if not faces:
        return '<p class="au-none">No face was found.</p>'
    head = ''.join(f'<span>{escape(name)}</span>' for name in models)
    blocks = []
    for face, table in sorted(faces.items()):
        colour = PALETTE[face % len(PALETTE)]
        lines = ''.join(_line(au, [cells[name] for name in models]) for au, cells in table.items())
        blocks.append(
            f'<section class="au-face" style="--models: {len(models)}"><h4 style="border-left: '
            f'.6rem solid {colour}">face {face}</h4><div class="au-row au-head"><span></span>'
            f'{head}</div>{lines}</section>')
    return ''.join(blocks)


def wide_image(png: bytes, label: str) -> str:
    """An image that scrolls sideways if the page is narrower than 600 pixels."""
    data = b64encode(png).decode()
    return (f'<div class="au-wide"><img alt="{escape(label)}" src="data:image/png;base64,{data}"/>'
            '</div>')


def _line(au: int, cells: Sequence[Cell]) -> str:
    present = any(cell and cell[1] for cell in cells)
    name = f'{au_name(au)} {escape(ACTION_UNITS[au].name)}'
    return (f'<div class="au-row"><span class="{"au-present" if present else ""}">{name}</span>'
            f'{"".join(map(_cell, cells))}</div>')


def _cell(cell: Cell) -> str:
    if cell is None:
        return '<span class="au-cell"><span></span><output>–</output></span>'
    value, present, intensity = cell
    said, share = (f'{value:.2f}', value) if intensity is None else (
        f'{intensity:.1f}/5', intensity / 5)
    return (f'<span class="au-cell"><span class="au-bar"><i class="{"present" if present else ""}" '
            f'style="width: {100 * share:.1f}%" title="probability {value:.2f}"></i></span>'
            f'<output>{said}</output></span>')
