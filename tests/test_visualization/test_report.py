# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The parts of the page; the whole page is tried in test_experiments/test_report.py."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.visualization.report import data_uri, write_report

pytest.importorskip('jinja2', reason="needs the extra 'analysis'")


def opened(uri):
    kind, _, data = uri.partition(',')
    assert kind == 'data:image/jpeg;base64'
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_picture_becomes_smaller_and_keeps_its_colours(tmp_path):
    Image.new('RGB', (200, 100), (10, 200, 30)).save(tmp_path / 'face.png')
    with opened(data_uri(tmp_path / 'face.png')) as image:
        assert image.size == (160, 80)
        assert np.abs(np.asarray(image, int) - (10, 200, 30)).max() <= 4


def test_small_pictures_are_not_enlarged(tmp_path):
    Image.new('L', (30, 20)).save(tmp_path / 'small.png')
    with opened(data_uri(tmp_path / 'small.png')) as image:
        assert image.size == (30, 20)


def test_a_missing_sample_writes_no_page(tmp_path):
    report = dict(samples=[dict(path=str(tmp_path / 'gone.png'))])
    with pytest.raises(FileNotFoundError, match='gone.png'):
        write_report(tmp_path / 'out' / 'report.html', report, {})
    assert not (tmp_path / 'out').exists()
