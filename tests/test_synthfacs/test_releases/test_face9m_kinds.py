# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Each kind of file is what it says: Pillow finds what the maker states, or nothing."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from fmae_iat_plugin.synthfacs.releases.face9m_kinds import ODD, PLAIN

pytestmark = pytest.mark.slow

BROKEN = {'empty', 'truncated', 'corrupt', 'web_page'}


@pytest.fixture(scope='module')
def face():
    """Smooth and without any symmetry, so that turns and mirrors show."""
    y, x = np.mgrid[:64, :64] / 63
    return Image.fromarray(np.uint8(np.dstack([255 * x, 255 * y, 120 * (1 - x * y)])))


def make(face, kind):
    return {**PLAIN, **ODD}[kind][1](face, np.random.default_rng(0))


@pytest.mark.parametrize('kind', [*PLAIN, *ODD])
def test_pillow_finds_what_is_stated(face, kind):
    made = make(face, kind)
    if kind in BROKEN:
        assert made.size is made.mode is made.format is None
        with pytest.raises(OSError):
            Image.open(io.BytesIO(made.data)).load()
        return
    image = Image.open(io.BytesIO(made.data))
    image.load()
    assert (image.format, image.size) == (made.format, made.size)
    assert image.mode == made.mode


@pytest.mark.parametrize('kind', [k for k in ODD if k.startswith('exif')])
def test_orientation_puts_the_face_right_and_is_needed(face, kind):
    image = Image.open(io.BytesIO(make(face, kind).data))
    right = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    assert np.abs(right - np.asarray(face)).mean() < 4
    assert np.abs(np.asarray(image).astype(int) - np.asarray(face)).mean() > 20


@pytest.mark.parametrize('kind, mode', [('grey_jpeg', 'L'), ('cmyk_jpeg', 'CMYK'),
                                        ('png_palette', 'P'), ('png_alpha', 'RGBA')])
def test_modes(face, kind, mode):
    assert Image.open(io.BytesIO(make(face, kind).data)).mode == mode


@pytest.mark.parametrize('kind, ratio', [('wide', 2), ('high', 1.75), ('ratio_just_1_5', 1.5)])
def test_aspect_ratios(face, kind, ratio):
    assert max(make(face, kind).size) / min(make(face, kind).size) == ratio


def test_sixteen_bits_hold_the_grey_picture(face):
    image = Image.open(io.BytesIO(make(face, 'png_16_bits').data))
    assert (np.asarray(image) // 257 == np.asarray(face.convert('L'))).all()


def test_duplicates(face):
    plain, exact, near = (make(face, k) for k in ('jpeg', 'exact_duplicate', 'near_duplicate'))
    assert exact.data == plain.data != near.data
    again = Image.open(io.BytesIO(near.data)).resize(face.size)
    assert np.abs(np.asarray(again).astype(int) - np.asarray(face)).mean() < 6
