# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Account for what a data set leaves out: counted, logged and listed, never silent."""

import csv
import io
from collections import Counter
from pathlib import Path
from typing import NamedTuple, Optional, Sequence

from .files import write_whole
from .logs import is_main_process, logger


class Skip(NamedTuple):
    """One thing that was left out, or is not as it should be; a pair with more to say.

    Attributes:
        item (str): What: an image, a frame such as ``F001/T1/2440``, a file.
        reason (str): A fixed phrase, so that reasons can be counted.
        file (str): The file that shows it, '' = none.
        line (int): Line in that file, 1-based; 0 = the whole file.
        detail (str): The value found, what was expected.
        number (int): How many frames or images this entry stands for.
    """

    item: str
    reason: str
    file: str = ''
    line: int = 0
    detail: str = ''
    number: int = 1


def _as_csv(skipped: Sequence[Skip]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['reason', 'item', 'number', 'file', 'line', 'detail'])
    for entry in skipped:
        writer.writerow([entry.reason, entry.item, entry.number, entry.file, entry.line or '',
                         entry.detail])
    return text.getvalue()


def report_skipped(name: str, skipped: Sequence[tuple],
                   skip_file: Optional[str] = None) -> None:
    """Log how many items were left out and why, and list them in a file.

    Args:
        name: Name of the data set, for the log.
        skipped: Pairs (path or item, reason), or :class:`Skip` entries.
        skip_file: File to write, replaced if it exists: ``path<TAB>reason`` lines, or for the
            suffix ``.csv`` (``skipped`` must be :class:`Skip` entries) a table with the columns
            reason, item, number, file, line, detail. Its folder is created. None writes no file.
            Only rank 0 logs and writes.
    """
    if not is_main_process():
        return
    if skip_file is not None:
        path = Path(skip_file).expanduser()
        if path.suffix == '.csv':
            text = _as_csv(skipped)
        else:
            text = ''.join(f'{item}\t{reason}\n' for item, reason, *_ in skipped)
        write_whole(path, text.encode('utf-8', 'surrogateescape'))
    if skipped:
        counts = Counter()
        for entry in skipped:
            counts[entry[1]] += entry.number if isinstance(entry, Skip) else 1
        reasons = ', '.join(f'{reason}: {count}' for reason, count in sorted(counts.items()))
        where = f'listed in {skip_file}' if skip_file else \
            f'the first is {skipped[0][0]}; give skip_file=... for the list'
        logger().warning(
            f'{name}: {sum(counts.values())} items left out ({reasons}); {where}')
