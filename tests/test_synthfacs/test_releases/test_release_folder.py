# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files of a release are whole or absent; jobs keep their order whatever process does them."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.synthfacs.releases.release_folder import ReleaseFolder, encode, run


def make_jobs():
    """Functions that travel by value: other processes cannot import the tests."""

    def double(value, folder):
        (folder / f'{os.getpid()}').touch()
        return 2 * value

    def fail(value):
        raise OSError(f'no room for {value}')

    return double, fail


@pytest.mark.parametrize('workers', [1, 2])
def test_results_in_the_order_of_the_jobs(tmp_path, workers):
    double, _ = make_jobs()
    assert run('test', double, [(k, tmp_path) for k in range(7)], workers) == [
        0, 2, 4, 6, 8, 10, 12]
    here = (tmp_path / str(os.getpid())).exists()
    assert here == (workers == 1)


def test_an_error_in_a_job_is_the_error_of_the_run():
    with pytest.raises(OSError, match='no room for 1'):
        run('test', make_jobs()[1], [(1,), (1,)], 1)


def test_no_jobs():
    assert run('test', make_jobs()[0], [], 2) == []


def test_half_a_video_never_has_its_name(tmp_path):
    folder = ReleaseFolder(tmp_path)

    def pictures():
        yield np.zeros((32, 32, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.write_video('a/b.avi', pictures(), 32, 25, 'MJPG')
    assert not folder.has('a/b.avi') and not list(tmp_path.glob('a/*'))


def test_video_keeps_count_order_and_colour(tmp_path, decode):
    levels = [10, 200, 90, 150]
    red = [np.dstack([np.full((32, 32), v, np.uint8), *np.zeros((2, 32, 32), np.uint8)])
           for v in levels]
    for codec in ('MJPG', 'XVID'):
        ReleaseFolder(tmp_path).write_video(f'{codec}.avi', red, 32, 25, codec)
        found = decode(tmp_path / f'{codec}.avi')
        assert np.argsort([p[..., 2].mean() for p in found]).tolist() == [0, 2, 3, 1]
        assert found[1][..., 2].mean() > 150 > 60 > found[1][..., 0].mean()  # BGR


def test_video_codec_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match='cannot write zzzz'):
        ReleaseFolder(tmp_path).write_video('a.avi', [], 32, 25, 'zzzz')


def test_claim(tmp_path):
    folder = ReleaseFolder(tmp_path)
    assert not folder.claim(dict(tasks=('T1', 'T2'), seed=0))
    assert not folder.claim(dict(tasks=['T1', 'T2'], seed=0))  # JSON has no tuples
    with pytest.raises(ValueError, match='made with other settings'):
        folder.claim(dict(tasks=['T1'], seed=0))
    folder.write('truth.csv', 'image\n')
    assert folder.claim(dict(tasks=['T1', 'T2'], seed=0))


def test_encode_keeps_the_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    png = Image.open(io.BytesIO(encode(picture, 'PNG')))
    assert (np.asarray(png) == picture).all()
    assert Image.open(io.BytesIO(encode(picture))).format == 'JPEG'
