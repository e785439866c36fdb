# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The action units of photos as a table for people, beside the files for programs."""

from pathlib import Path
from typing import List, Optional, Sequence, TextIO

from rich.console import Console
from rich.table import Table

from fmae_iat_plugin.action_units import ACTION_UNITS, au_name
from fmae_iat_plugin.media import VIDEO_SUFFIXES

from .predictions import FacePrediction

MOST = 5  #: faces that are shown; a folder of photos is not read on a screen


class FaceTable:
    """Collects the rows of photos and prints those of the first faces.

    Args:
        aus: Numbers of the model's action units, in the order of the probabilities.
        intensity_aus: Those with intensities, in their order.
    """

    def __init__(self, aus: Sequence[int], intensity_aus: Sequence[int] = ()):
        self.aus, self.intensity_aus = tuple(aus), tuple(intensity_aus)
        self.rows: List[FacePrediction] = []
        self.more = 0

    def add(self, row: FacePrediction) -> None:
        """Take the row of a photo; those of videos, and frames without a face, are passed over."""
        video = row.timestamp is not None or Path(row.input).suffix.lower() in VIDEO_SUFFIXES
        if video or not row.success:
            return
        if len(self.rows) < MOST:
            self.rows.append(row)
        else:
            self.more += 1

    def tables(self) -> List[Table]:
        """One for each face: its action units by number, those that are present in bold."""
        return [self._table(row) for row in self.rows]

    def _table(self, row: FacePrediction) -> Table:
        table = Table(title=f'{row.input}, face {row.face_id}', title_justify='left')
        graded = dict(zip(self.intensity_aus, row.intensities or ()))
        columns = [('AU', 'left'), ('', 'left'), ('probability', 'right'), ('present', 'left')]
        for name, side in [*columns, *([('intensity (0-5)', 'right')] if graded else ())]:
            table.add_column(name, justify=side)
        for au, value, present in sorted(zip(self.aus, row.probabilities, row.present)):
            cells = [au_name(au), ACTION_UNITS[au].name, f'{value:.2f}', 'yes' if present else '']
            if graded:
                cells.append(f'{graded[au]:.1f}' if au in graded else '')
            table.add_row(*cells, style='bold' if present else 'dim')
        return table

    def print(self, file: Optional[TextIO] = None) -> None:
        """Print the tables, and how many faces are not shown.

        Args:
            file: Defaults to stdout.
        """
        console = Console(file=file, highlight=False)
        for table in self.tables():
            console.print(table)
        if self.more:
            console.print(f'and {self.more} more faces')
