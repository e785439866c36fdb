# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The conversion benchmark counts the images that were converted, and divides by the time."""

import re
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PATH = Path(__file__).parents[3] / 'tools' / 'benchmark' / 'conversion.py'


def test_images_per_second(capsys):
    main = runpy.run_path(str(PATH))['main']
    rates = main('--workers 1 --subjects 2 --frames 4 --size 64 --repeats 2'.split())
    out = capsys.readouterr().out
    assert '4 videos of 64 x 64 pixels, loky, best of 2' in out
    line = r'1 process: ([\d.]+) images a second \((\d+) in ([\d.]+) s\), ([\d.]+) times'
    rate, images, seconds, ratio = map(float, re.search(line, out).groups())
    assert 12 <= images <= 16  # 2 subjects x 2 tasks x 4 frames, less what has no picture
    assert rates[1] == pytest.approx(rate, abs=0.06) and ratio == 1
    assert images / (seconds + 0.006) <= rates[1] <= images / max(seconds - 0.006, 1e-9)
