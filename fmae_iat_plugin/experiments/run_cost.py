# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What a step cost: ``cost.json`` in its folder, time of the clock and CPU time."""

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union

from fmae_iat_plugin.files import write_whole

COST = 'cost.json'


def write_cost(folder: Union[str, Path], seconds: float, cpu_seconds: float,
               gpus: str = '') -> None:
    """Note what a finished step took.

    Args:
        folder: Of the step.
        seconds: Of the clock.
        cpu_seconds: Of the process and its finished children.
        gpus: Numbers of the GPUs, separated by commas.
    """
    write_whole(Path(folder, COST), json.dumps(dict(
        seconds=round(seconds, 1), gpus=gpus, cpu_seconds=round(cpu_seconds, 1))).encode())


def cpu_seconds() -> float:
    """CPU time of this process and its finished children."""
    return sum(os.times()[:4])


@contextmanager
def measured(folder: Union[str, Path]) -> Iterator[None]:
    """Note the cost of the block, if it ends well."""
    start, cpu = time.monotonic(), cpu_seconds()
    yield
    write_cost(folder, time.monotonic() - start, cpu_seconds() - cpu)


def total_cpu_seconds(folder: Union[str, Path]) -> float:
    """CPU time of all steps whose folders lie in ``folder``."""
    return sum(json.loads(path.read_text(encoding='utf-8'))['cpu_seconds']
               for path in Path(folder).glob(f'*/{COST}'))
