# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The parts of the page; the whole page is tried in test_experiments/test_report.py."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.visualization.report import data_uri, relative_paths, write_report

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


def test_paths_are_relative_to_the_folder_of_the_page(tmp_path):
    work, data = tmp_path / 'work', tmp_path / 'data'
    config = (f"data_root = '{data}'\nload_from = \"{work}/run/epoch_3.pth\"\nscale = 1 / 2\n"
              "names = ['a', 'b/c']\n")
    report = dict(samples=[dict(path=f'{data}/faces/1.png', score=.5)], missing=[f'{work}/x.png'],
                  configs=dict(fmae=config), rows=((1, None), 'F1 / AUC'))
    found = relative_paths(report, work)
    assert found == dict(
        samples=[dict(path='../data/faces/1.png', score=.5)], missing=['x.png'],
        configs=dict(fmae="data_root = '../data'\nload_from = \"run/epoch_3.pth\"\n"
                          "scale = 1 / 2\nnames = ['a', 'b/c']\n"), rows=[[1, None], 'F1 / AUC'])
    assert str(tmp_path) not in json.dumps(found)
