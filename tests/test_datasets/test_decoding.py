# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Images of every depth and orientation; what EXIF says beside it does no harm."""

import io
import struct
from unittest.mock import patch

import cv2
import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.datasets import decoding
from fmae_iat_plugin.datasets.decoding import UnreadableImageError, decode_image
from fmae_iat_plugin.datasets.transforms import LoadFace


def encoded(values, **options):
    """The bytes of a TIFF or PNG with these numbers."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, **{'format': 'TIFF', **options})
    return file.getvalue()


RAMP = np.linspace(0, 1, 24 * 16).reshape(16, 24)


@pytest.mark.parametrize('values,options', [
    (RAMP.astype(np.float32), {}), ((RAMP * 255).astype(np.float32), {}),
    (np.rint(RAMP * 4095).astype(np.float32), {}),
    (np.rint(RAMP * 1023).astype(np.uint16), dict(format='PNG')),
    (np.rint(RAMP * 4095).astype(np.uint16), dict(format='PNG')),
    (np.rint(RAMP * 16383).astype(np.uint16), {}), (np.rint(RAMP * 65535).astype(np.uint16), {}),
    (np.rint(RAMP * 65535).astype(np.int32), {}), (np.rint(RAMP * 255).astype(np.int32), {})])
def test_every_depth_comes_out_as_the_same_picture(values, options):
    image = decode_image(encoded(values, **options))
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, np.repeat(RAMP[..., None], 3, -1) * 255, atol=.75)


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
@pytest.mark.parametrize('bits', [12, 16])
def test_colours_of_16_bits_are_scaled_too(suffix, bits):
    rgb = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1] / 2], -1)
    deep = np.rint(rgb[..., ::-1] * (2**bits - 1)).astype(np.uint16)
    image = decode_image(cv2.imencode(suffix, deep)[1].tobytes())
    np.testing.assert_allclose(image, rgb[..., ::-1] * 255, atol=.75)


@pytest.mark.parametrize('values', [
    np.array([[0., np.nan]]), np.array([[0., np.inf]]), np.array([[-.5, 1.]]),
    np.array([[0., 300.5]]), np.array([[0., 1.5]])])
def test_fractions_without_a_known_scale_are_refused(values, tmp_path):
    (tmp_path / 'a.tif').write_bytes(encoded(values.astype(np.float32)))
    with pytest.raises(UnreadableImageError, match='a.tif.*its numbers go from'):
        LoadFace().transform(dict(img_path=str(tmp_path / 'a.tif')))


@pytest.mark.parametrize('values', [[[-1, 5]], [[0, 65536]]])
def test_integers_without_a_known_scale_are_refused(values):
    with pytest.raises(ValueError, match=f'from {values[0][0]} to {values[0][1]}'):
        decode_image(encoded(np.array(values, dtype=np.int32)))


def exif(*entries):
    """An EXIF block: (tag, type, count, four bytes) each."""
    body = b''.join(struct.pack('<HHI', *entry[:3]) + entry[3] for entry in entries)
    return b'Exif\0\0II*\0\x08\0\0\0' + struct.pack('<H', len(entries)) + body + bytes(4)


#: Orientation -> how EXIF 2.3, section 4.6.4, says that the stored picture is turned upright
UPRIGHT = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1],
           4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
           7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: np.rot90}


@pytest.mark.parametrize('turn', UPRIGHT)
def test_a_broken_exif_entry_costs_neither_the_picture_nor_its_orientation(turn):
    stored = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    file = io.BytesIO()
    broken = exif((0x112, 3, 1, struct.pack('<HH', turn, 0)), (0x11a, 2, 3, b'72\0\0'),
                  (0x8769, 2, 4, b'abc\0'))
    Image.fromarray(stored).save(file, 'PNG', exif=broken)
    np.testing.assert_array_equal(decode_image(file.getvalue()), UPRIGHT[turn](stored)[..., ::-1])


@pytest.mark.parametrize('seed', range(40))
def test_whatever_stands_in_the_exif_block_the_picture_is_read(seed):
    rng = np.random.default_rng(seed)
    block = bytearray(exif((0x112, 3, 1, b'\x01\0\0\0'), (0x11a, 5, 1, b'\x40\0\0\0'),
                           (0x8769, 4, 1, b'\x1a\0\0\0'), (0x9286, 7, 9, b'\x08\0\0\0')))
    block += bytes(30)
    for place in rng.integers(10, len(block), 6):
        block[place] = rng.integers(0, 256)
    stored = rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(stored).save(file, 'PNG', exif=bytes(block))
    image = decode_image(file.getvalue())
    assert sorted(image.ravel()) == sorted(stored.ravel())


def test_plain_jpeg_is_pillows_bit_for_bit():
    """Of every subsampling, grey and colour, progressive, odd sizes; the special ones are left to
    Pillow, and so is what is damaged."""
    simplejpeg = pytest.importorskip('simplejpeg')
    generator = np.random.default_rng(0)
    pixels = np.clip(np.cumsum(generator.normal(0, 9, (61, 47, 3)), 1) + 128, 0, 255)
    picture, plain = Image.fromarray(pixels.astype(np.uint8)), 0
    for mode in ('RGB', 'L', 'CMYK'):
        for options in (dict(subsampling=0), dict(subsampling=1), dict(subsampling=2, quality=30),
                        dict(progressive=True), dict(restart_marker_blocks=2)):
            buffer = io.BytesIO()
            picture.convert(mode).save(buffer, 'JPEG', **options)
            data = buffer.getvalue()
            with patch.object(decoding, 'simplejpeg', None):
                expected = decode_image(data)
                with pytest.raises(OSError, match='truncated'):
                    decode_image(data[:-200])
            assert np.array_equal(decode_image(data), expected)
            found = decoding._plain_jpeg(data)
            assert (found is None) == (mode == 'CMYK')
            plain += found is not None
            with pytest.raises(OSError, match='truncated'):
                decode_image(data[:-200])
    assert plain == 10 and simplejpeg
    exif = Image.Exif()
    exif[0x112] = 6
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', exif=exif)
    assert decoding._plain_jpeg(buffer.getvalue()) is None
    assert decode_image(buffer.getvalue()).shape == (47, 61, 3)
