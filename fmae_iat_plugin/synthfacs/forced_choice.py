# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A blind test of the renderer: name the action unit between a neutral face and its apex.

Every unit is shown once, on a different person, in random order. People who know FACS answer each
pair with one of the 17 units.
"""
import csv
import json
import os
from pathlib import Path
from typing import List, Tuple, Union

import cv2
import numpy as np

from .contact_sheets import tile
from .renderer.muscles import AUS
from .renderer.render import render

KEY = 'key.json'


def draw_pairs(out_dir: Union[str, os.PathLike], seed: int = 0, size: int = 448) -> List[Path]:
    """Write ``pair_01.png`` ... (neutral left, intensity 5 right) and the key to them.

    Args:
        out_dir: Folder of the pairs, created if it does not exist. The key is its ``key.json``;
            hide it from those who answer.
        seed: Seed of the order and the people.
        size: Side of a face in pixels.
    """
    out_dir, rng = Path(out_dir), np.random.default_rng(seed)
    out_dir.mkdir(parents=True, exist_ok=True)
    people = rng.choice(100000, len(AUS), replace=False).tolist()
    paths, key = [], {}
    for number, (au, person) in enumerate(zip(rng.permutation(AUS).tolist(), people), 1):
        faces = [render(person, aus, size=size)[0] for aus in ({}, {au: 5})]
        paths.append(out_dir / f'pair_{number:02d}.png')
        cv2.imwrite(str(paths[-1]), tile(faces, 2)[..., ::-1])
        key[paths[-1].stem] = dict(au=au, person=person)
    (out_dir / KEY).write_text(json.dumps(key, indent=1))
    return paths


def score_answers(out_dir: Union[str, os.PathLike],
                  answers: Union[str, os.PathLike]) -> List[Tuple[str, int, int]]:
    """(pair, action unit shown, action unit named) of every pair.

    Args:
        out_dir: Folder that :func:`draw_pairs` wrote.
        answers: CSV with the columns ``pair`` (``pair_01``) and ``au`` (its number).

    Raises:
        ValueError: If a line does not name a pair and one of the 17 units, or a pair does not have
            exactly one answer.
    """
    key, named = json.loads((Path(out_dir) / KEY).read_text()), {}
    with open(answers, newline='') as file:
        for row in csv.DictReader(file):
            where = f'{answers}:{len(named) + 2}'
            pair, au = (row.get('pair') or '').strip(), (row.get('au') or '').strip()
            if pair not in key or pair in named:
                raise ValueError(f'{where}: {pair!r} is not one of the pairs, or occurs twice. '
                                 'Remedy: write one line for each of pair_01 ... under the '
                                 'header pair,au.')
            if au not in map(str, AUS):
                raise ValueError(f'{where}: {au!r} is not one of the action units {AUS}.')
            named[pair] = int(au)
    missing = sorted(set(key) - set(named))
    if missing:
        raise ValueError(f'{answers}: no answer for {", ".join(missing)}. Remedy: guess; the '
                         'choice is forced.')
    return [(pair, key[pair]['au'], named[pair]) for pair in sorted(key)]


def confusion_text(scores: List[Tuple[str, int, int]]) -> str:
    """The confusion matrix (a row per shown, a column per named unit) and the number right."""
    shown = {au: 0 for au in AUS}
    counts = {(a, b): 0 for a in AUS for b in AUS}
    for _, au, named in scores:
        counts[au, named] += 1
        shown[au] += 1
    lines = ['shown ' + ' '.join(f'{au:>3}' for au in AUS)]
    lines += [f'{au:>5} ' + ' '.join(f'{counts[au, named] or ".":>3}' for named in AUS)
              for au in AUS if shown[au]]
    right = sum(au == named for _, au, named in scores)
    return '\n'.join([*lines, f'{right} of {len(scores)} right'])
