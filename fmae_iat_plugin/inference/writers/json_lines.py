# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""JSON lines, one per face and frame; the form is a JSON schema."""

import json
from pathlib import Path
from typing import Sequence

from fmae_iat_plugin.action_units import au_name

from ..predictions import FacePrediction
from .base import TextWriter

SCHEMA = Path(__file__).with_name('schemas') / 'prediction.json'


def as_dict(row: FacePrediction, aus: Sequence[int], intensity_aus: Sequence[int] = ()) -> dict:
    """A row as plain values, the form of a JSON line; ``aus`` by name: AU1, AU12, ..."""
    values = row._asdict()
    probabilities, present = values.pop('probabilities'), values.pop('present')
    graded = dict(zip(intensity_aus, values.pop('intensities') or ()))
    values['box'] = None if row.box is None else list(row.box)
    values['aus'] = None if probabilities is None else {
        au_name(au): dict(probability=probability, present=here,
                          **(dict(intensity=graded[au]) if au in graded else {}))
        for au, probability, here in zip(aus, probabilities, present)}
    return values


class JSONWriter(TextWriter):
    """JSON lines, ``predictions.jsonl`` of all inputs; the schema is :data:`SCHEMA`."""

    def __init__(self, out_dir, aus, name=None, intensity_aus=()):
        super().__init__(out_dir, aus, name, intensity_aus)
        self.open('predictions.jsonl')

    def write(self, row: FacePrediction) -> None:
        values = as_dict(row, self.aus, self.intensity_aus)
        self.file.write(json.dumps(values, allow_nan=False) + '\n')
