# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The curation benchmark divides what it printed, and both ways keep the same photos."""

import re
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PATH = Path(__file__).parents[3] / 'tools' / 'benchmark' / 'curate.py'


def test_the_ratio_is_that_of_the_times(capsys):
    ratio = runpy.run_path(str(PATH))['main']('--number 10 --workers 1 --repeats 1'.split())
    out = capsys.readouterr().out
    assert out.startswith('10 photos, ') and out.splitlines()[-1] == f'ratio {ratio:.2f}'
    theirs, own = (float(ms) for ms in re.findall(r'\(([\d.]+) ms each\)', out))
    assert ratio == pytest.approx(theirs / own, rel=.02)
    assert '1 process: ' in out
