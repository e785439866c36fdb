# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The output folder of predictions: no file replaces one that holds another input's rows.

``prediction.json`` notes the inputs whose rows a folder holds, and the settings, which are the same
for all. A call with the same inputs, or more, replaces what is there. Other inputs get files of
their own beside those that are there; a file of all inputs (JSON lines, py-feat, Parquet) would
lose the rows of the earlier ones, so that is refused, and so are other settings.
"""

import csv
import json
from pathlib import Path
from typing import Dict, List, Sequence, Union

from fmae_iat_plugin.files import UniqueNames, differences, write_whole
from fmae_iat_plugin.logs import logger
from fmae_iat_plugin.skipped import Skip

from .inputs import Item
from .writers import WHOLE_FILES

RECORD, SKIPPED = 'prediction.json', 'skipped.csv'
WHOLE = tuple(WHOLE_FILES.values())
TABLE, PICTURES = '.csv', ('_annotated.jpg', '_annotated.mp4', '_timeline.png')
_RESERVED = ('skipped', 'predictions_pyfeat')  #: NAMEs whose table would be another file
REMEDY = 'another folder, or --overwrite (in Python overwrite=True), which removes what it holds'


class Outputs:
    """Claims a folder; a context manager that withdraws the claim if nothing was written.

    Args:
        folder: Output folder, which this process holds.
        items: What is to be predicted.
        settings: What shapes the predictions; everything that JSON can hold.
        formats: Of the tables that will be written.
        pictures: Whether there will be pictures and videos.
        overwrite: Remove what an earlier call left there.

    Attributes:
        names (dict): Input -> NAME of its files.
        kept (list[Skip]): What earlier calls listed of inputs that are not predicted now.

    Raises:
        ValueError: If a file would be lost, or the folder holds predictions of other settings.
    """

    _stale: Sequence[Path] = ()

    def __init__(self, folder: Union[str, Path], items: Sequence[Item], settings: dict,
                 formats: Sequence[str] = (), pictures: bool = False, overwrite: bool = False):
        self.folder = Path(folder)
        self._pictures = pictures
        whole = [WHOLE_FILES[name] for name in formats if name in WHOLE_FILES]
        endings = [TABLE] * ('openface' in formats) + [*PICTURES] * pictures
        settings = json.loads(json.dumps(settings, default=str))
        record = self._read()
        if overwrite:
            self._remove(record['inputs'] if record else [], whole, endings, items)
            record = None
        self._before = record
        old = record['inputs'] if record and self._written(record['inputs']) else []
        now = {item.key for item in items if item.lasting}
        lost = [source for source, _ in old if source not in now]
        if old and record['settings'] != settings:
            old = self._other_settings(record, settings, lost)
        self.kept: List[Skip] = self._listed() if lost else []
        known = {source: name for source, name in old if source in now}
        unique = UniqueNames([*_RESERVED, *(name for _, name in old)])
        self.names: Dict[str, str] = {}
        for item in items:
            self.names[item.unit.name] = known.get(item.key) or unique(item.unit.name)
        self._check(old, lost, whole, endings)
        new = [[item.key, self.names[item.unit.name]] for item in items if item.key not in known]
        text = json.dumps(dict(settings=settings, inputs=[*old, *new]), indent=1)
        write_whole(self.folder / RECORD, text.encode())

    def _other_settings(self, record: dict, settings: dict, lost: Sequence[str]) -> List[list]:
        """The inputs of a record that is replaced; their files are removed by :meth:`clear`."""
        said = differences(record['settings'], settings)
        if lost:
            raise ValueError(f'{self.folder} holds predictions made with other settings: {said}; '
                             f'that of {lost[0]} is not made again. Remedy: {REMEDY}.')
        logger().warning(
            '%s holds predictions made with other settings (%s), which are replaced', self.folder,
            said)
        self._stale = [path for path in self._files(record['inputs'])
                       if not (self._pictures and path.name.endswith(PICTURES))]
        return record['inputs']

    def clear(self) -> None:
        """Remove what was made with other settings; the new predictions are there."""
        for path in self._stale:
            path.unlink(missing_ok=True)
        self._stale, self._before = [], None

    def _read(self):
        try:
            return json.loads((self.folder / RECORD).read_text(encoding='utf-8'))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f'{self.folder / RECORD}: {error}. Remedy: {REMEDY}.') from error

    def _files(self, inputs: Sequence) -> List[Path]:
        return [self.folder / name for name in (
            *WHOLE, SKIPPED, *(name + ending for _, name in inputs
                               for ending in (TABLE, *PICTURES)))]

    def _written(self, inputs: Sequence) -> bool:
        return any(path.exists() for path in self._files(inputs))

    def _check(self, old: Sequence, lost: Sequence[str], whole: Sequence[str],
               endings: Sequence[str]) -> None:
        taken = next((name for name in whole if (self.folder / name).exists()), None)
        if lost and taken is not None:
            more = f' and {len(lost) - 1} more' if len(lost) > 1 else ''
            raise ValueError(
                f'{self.folder / taken} would be overwritten: it holds the predictions of '
                f'{lost[0]}{more}, not among the inputs of this call. Remedy: all inputs in one '
                f'call, {REMEDY}.')
        known = {name for _, name in old}
        files = [name + ending for name in self.names.values() if name not in known
                 for ending in endings]
        if not old:
            files += [*whole, SKIPPED]
        foreign = next((name for name in files if (self.folder / name).exists()), None)
        if foreign is not None:
            raise ValueError(f'{self.folder / foreign} would be overwritten, and no call that '
                             f'{RECORD} there notes wrote it. Remedy: {REMEDY}.')

    def _remove(self, inputs: Sequence, whole: Sequence[str], endings: Sequence[str],
                items: Sequence[Item]) -> None:
        """What the record names, and what would be in the way."""
        unique = UniqueNames(_RESERVED)
        names = [unique(item.unit.name) + ending for item in items for ending in endings]
        for path in [*self._files(inputs), *(self.folder / name for name in (*whole, *names)),
                     self.folder / RECORD]:
            path.unlink(missing_ok=True)

    def _listed(self) -> List[Skip]:
        path = self.folder / SKIPPED
        if not path.exists():
            return []
        with open(path, newline='', encoding='utf-8', errors='surrogateescape') as file:
            rows = list(csv.DictReader(file))
        return [Skip(row['item'], row['reason'], row['file'], int(row['line'] or 0), row['detail'],
                     int(row['number'])) for row in rows]

    def __enter__(self) -> 'Outputs':
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None and self._before is not None:
            write_whole(self.folder / RECORD, json.dumps(self._before, indent=1).encode())
        record = self._read()
        if record is not None and not self._written(record['inputs']):
            (self.folder / RECORD).unlink()
