# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Flow on disk: units, sizes, what is missing in words."""

import json

import numpy as np
import pytest

from fmae_iat_plugin.datasets.flow_targets import read_flow, read_flow_index, read_settings


@pytest.fixture
def folder(tmp_path):
    flow = np.random.default_rng(0).normal(size=(2, 3, 5, 2)).astype(np.float16)
    flow[1, 0, 0] = np.nan
    (tmp_path / 'sequences').mkdir()
    np.save(tmp_path / 'sequences' / '0000.npy', flow)
    (tmp_path / 'flow.json').write_text(json.dumps(dict(delta=3)))
    (tmp_path / 'flow.csv').write_text('image,file,row,width,height\na.png,0000.npy,0,20,12\n'
                                       '007,0000.npy,1,20,12\n')
    return tmp_path, flow


def test_pixels_become_fractions(folder):
    index = read_flow_index(folder[0])
    assert set(index) == {'a.png', '007'} and read_settings(folder[0]) == dict(delta=3)
    for row, image in enumerate(('a.png', '007')):
        found = read_flow(index[image], (20, 12))
        wanted = folder[1][row].astype(np.float64) / (20, 12)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        assert found.dtype == np.float32


def test_an_image_of_another_size_in_words(folder):
    target = read_flow_index(folder[0])['a.png']
    with pytest.raises(ValueError, match='row 0, was computed for an image of 20x12 pixels, this '
                                         'one has 40x24. Remedy'):
        read_flow(target, (40, 24))


def test_a_missing_or_unfinished_folder_in_words(folder):
    (folder[0] / 'flow.csv').unlink()
    with pytest.raises(FileNotFoundError, match='begun and not finished. Remedy'):
        read_flow_index(folder[0])
    with pytest.raises(FileNotFoundError, match='does not exist. Remedy: .*compute_flow.py'):
        read_flow_index(folder[0] / 'none')
