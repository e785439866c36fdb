# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Leaves named images, folders or patterns out of a collection, and notices if one names nothing.

Pretraining excludes what a fold tests on. A misspelt folder that excludes nothing would silently
leak the test subjects; :meth:`Exclusion.check` prevents this.
"""

import fnmatch
import os
import re
from typing import Dict, Iterator, List, Sequence, Tuple, Union

from mmengine.logging import MMLogger

from fmae_iat_plugin.media import IMAGE_SUFFIXES

_NOT_A_LIST = (*IMAGE_SUFFIXES, '.tar')


class Exclusion:
    """Paths, folders and wildcards to leave out.

    Args:
        entries: One entry or several. An entry is a path, a folder (everything below it), a
            wildcard in :mod:`fnmatch`'s syntax (``*`` also crosses ``/``), or an existing text
            file with one of these per line; text after a tab on a line is a remark.
    """

    def __init__(self, entries: Union[str, Sequence[str], None]) -> None:
        entries = [entries] if isinstance(entries, str) else list(entries or [])
        self._origin: Dict[str, str] = {}  # rule -> its file and line
        self._files: List[str] = []
        for entry in entries:
            entry = os.path.expanduser(entry)
            if os.path.isfile(entry) and not entry.lower().endswith(_NOT_A_LIST):
                self._files.append(entry)
                for rule, where in self._read(entry):
                    self._origin.setdefault(rule, where)
            else:
                self._origin.setdefault(self._normal(entry), '')
        self._wildcards = [(rule, re.compile(fnmatch.translate(rule))) for rule in self._origin
                           if re.search(r'[*?\[]', rule)]
        self._exact = set(self._origin)  # wildcards, too, because file names may hold brackets
        self._used: set = set()

    @staticmethod
    def _normal(path: str) -> str:
        return os.path.normpath(path.strip())

    def _read(self, path: str) -> Iterator[Tuple[str, str]]:
        with open(path, encoding='utf-8-sig') as file:
            for number, line in enumerate(file, 1):
                rule = line.split('\t')[0].strip()
                if rule:
                    yield self._normal(rule), f'{path}, line {number}'

    def matches(self, inner: str, full: str) -> bool:
        """Whether to leave an image out.

        Args:
            inner: Path of the image below the source.
            full: Path of the image, relative or absolute as the source was given.
        """
        if not self._origin:
            return False
        paths = {self._normal(inner), self._normal(full), os.path.abspath(full)}
        hits = {rule for rule, regex in self._wildcards if any(map(regex.match, paths))}
        if self._exact:
            for path in paths:
                while path and path != os.sep:
                    if path in self._exact:
                        hits.add(path)
                    path = os.path.dirname(path)
        self._used |= hits
        return bool(hits)

    def check(self) -> None:
        """Refuse entries that matched no image.

        Raises:
            ValueError: If an entry given directly, or every line of a file, matched nothing.
                Single lines of a file give a warning.
        """
        unused = [rule for rule in self._origin if rule not in self._used]
        for rule in unused:
            if not self._origin[rule]:
                raise ValueError(f'exclude={rule!r} matches no image (and is not a list file), so '
                                 'it would leave nothing out; correct or remove it')
        for file in self._files:
            rules = [r for r, where in self._origin.items() if where.startswith(f'{file}, line ')]
            idle = [rule for rule in rules if rule not in self._used]
            if not idle:
                continue
            text = (f'{len(idle)} of {len(rules)} entries of {file} match no image, the first '
                    f'is {idle[0]!r} ({self._origin[idle[0]]})')
            if len(idle) == len(rules):
                raise ValueError(f'{text}; write paths as they are below data_root, or in full')
            MMLogger.get_current_instance().warning(text)
