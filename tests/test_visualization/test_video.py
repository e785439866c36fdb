# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Video files keep the times and colours of their frames."""

import av
import numpy as np
import pytest

from fmae_iat_plugin.visualization import video
from fmae_iat_plugin.visualization.video import VideoFile


def read(path):
    with av.open(str(path)) as container:
        return [(float(frame.time), frame.to_ndarray(format='bgr24'))
                for frame in container.decode(video=0)]


@pytest.mark.parametrize('codec', video.CODECS)
def test_uneven_times_come_back(tmp_path, monkeypatch, codec):
    if codec not in av.codecs_available:
        pytest.skip(f'PyAV has no {codec}')
    monkeypatch.setattr(video, 'CODECS', (codec, ))
    times = [.48, .5, .537, 1.001, 1.0343666, 3., 3.04, 3.06, 3.1, 3.11, 3.2, 9.25]
    colours = np.linspace(30, 220, len(times)).astype(np.uint8)
    file = VideoFile(tmp_path / 'v.part', 64, 48)
    for time, colour in zip(times, colours):
        file.write(np.full((48, 64, 3), colour, dtype=np.uint8), time)
    file.close()
    found = read(tmp_path / 'v.part')
    np.testing.assert_allclose([time for time, _ in found], times, atol=2e-5)
    for (_, image), colour in zip(found, colours):
        assert abs(float(image.mean()) - colour) < 6


def test_times_that_do_not_go_on_are_kept_apart(tmp_path):
    file = VideoFile(tmp_path / 'v.mp4', 64, 48)
    for time in (0., .1, .1, .05, .2):
        file.write(np.zeros((48, 64, 3), dtype=np.uint8), time)
    file.close()
    times = [time for time, _ in read(tmp_path / 'v.mp4')]
    assert len(times) == 5 and (np.diff(times) > 0).all()
    np.testing.assert_allclose(times, [0, .1, .1, .1, .2], atol=1e-3)


def test_without_an_encoder_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(video, 'CODECS', ('none', ))
    with pytest.raises(ValueError, match='built without none'):
        VideoFile(tmp_path / 'v.mp4', 64, 48)
