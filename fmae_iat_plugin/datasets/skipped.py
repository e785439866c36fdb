# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Account for what a data set leaves out: counted, logged and listed, never silent."""

import os
from collections import Counter
from pathlib import Path
from typing import Optional, Sequence, Tuple

from mmengine.dist import master_only
from mmengine.logging import MMLogger


@master_only
def report_skipped(name: str, skipped: Sequence[Tuple[str, str]],
                   skip_file: Optional[str] = None) -> None:
    """Log how many items were left out and why, and list them in a file.

    Args:
        name: Name of the data set, for the log.
        skipped: Pairs (path or item, reason).
        skip_file: File to write, one ``path<TAB>reason`` a line, replaced if it exists. Its
            folder is created. None writes no file. Only rank 0 logs and writes.
    """
    if skip_file is not None:
        path = Path(skip_file).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f'{path.name}.{os.getpid()}.tmp')
        temporary.write_text(''.join(f'{item}\t{reason}\n' for item, reason in skipped))
        os.replace(temporary, path)
    if skipped:
        reasons = ', '.join(
            f'{reason}: {count}'
            for reason, count in sorted(Counter(reason for _, reason in skipped).items()))
        where = f'listed in {skip_file}' if skip_file else \
            f'the first is {skipped[0][0]}; give skip_file=... for the list'
        MMLogger.get_current_instance().warning(
            f'{name}: {len(skipped)} items left out ({reasons}); {where}')
