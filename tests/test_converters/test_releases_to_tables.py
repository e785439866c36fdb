# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Emulated raw releases through the converters: the table equals the truth, row by row.

Writer and reader were written independently, from the releases' layouts alone.
"""

import numpy as np
import pytest
from mmpretrain.registry import DATASETS

from fmae_iat_plugin import converters
from fmae_iat_plugin.datasets.annotation import read_annotation
from fmae_iat_plugin.synthfacs import releases as releases

pytestmark = pytest.mark.slow

SMALL = dict(size=48, frames=6, workers=1)


def rows(path, images=None):
    """{(subject, sequence, frame): {AU: value}}; NaN as None, so that equality is exact."""
    table = read_annotation(path)
    found = {}
    for row, labels in enumerate(table.labels):
        frame = table.frame.iloc[row]
        key = (frame['subject'], frame['sequence'].split('/')[-1], int(frame['frame']))
        assert key not in found
        found[key] = {au: None if np.isnan(v) else float(v) for au, v in zip(table.aus, labels)}
        if images is not None:
            assert (images / frame['image']).stat().st_size > 0
    return found


@pytest.mark.parametrize('headers', ['positions', 'numbers', 'named'])
@pytest.mark.parametrize('frames_as', ['images', 'videos'])
def test_bp4d(tmp_path, headers, frames_as):
    truth = releases.write_bp4d(tmp_path / 'release', subjects=2, tasks=('T1', 'T7'), seed=1,
                                headers=headers, frames_as=frames_as,
                                **SMALL)
    converters.convert_bp4d(tmp_path / 'release', tmp_path / 'out')
    expected = rows(truth)
    assert len(expected) >= 20  # 2 subjects x 2 tasks x 6 frames, less what has no picture
    assert rows(tmp_path / 'out' / 'annotation.csv', tmp_path / 'out' / 'images') == expected
    data = DATASETS.build(dict(type='BP4D', data_root=str(tmp_path / 'out'), fold=1, split='all',
                               ann_file='annotation.csv', data_prefix='images'))
    assert len(data) == len(expected)


@pytest.mark.parametrize('frames_as', ['images', 'videos'])
def test_bp4dplus(tmp_path, frames_as):
    truth = releases.write_bp4dplus(tmp_path / 'release', subjects=2, tasks=('T1', 'T8'), seed=2,
                                    frames_as=frames_as, **SMALL)
    converters.convert_bp4dplus(tmp_path / 'release', tmp_path / 'out')
    expected = rows(truth)
    assert len(expected) >= 20
    assert rows(tmp_path / 'out' / 'annotation.csv', tmp_path / 'out' / 'images') == expected


@pytest.mark.parametrize('camera, truth_file', [('right', 'truth.csv'), ('left', 'truth_left.csv')])
def test_disfa(tmp_path, camera, truth_file):
    releases.write_disfa(tmp_path / 'release', subjects=2, seed=3, **SMALL)
    converters.convert_disfa(tmp_path / 'release', tmp_path / 'out', camera=camera)
    expected = {(subject, frame): labels for (subject, _, frame), labels
                in rows(tmp_path / 'release' / truth_file).items()}
    found = rows(tmp_path / 'out' / 'annotation.csv', tmp_path / 'out' / 'images')
    assert {(subject, frame): labels for (subject, _, frame), labels in found.items()} == expected
    assert len(expected) >= 10
    assert any(value not in (0.0, 1.0) for labels in expected.values()
               for value in labels.values())  # intensities, not occurrences
