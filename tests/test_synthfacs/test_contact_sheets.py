# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Contact sheets hold the renders they say, and stay small."""
import cv2
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs import contact_sheets as sheets
from fmae_iat_plugin.synthfacs.renderer import AUS, render


def test_apex_sheet_shows_each_unit_in_order():
    size = 64
    sheet = sheets.apex_sheet(1, size=size, columns=6)
    assert sheet.shape == (3 * (size + 2), 6 * (size + 2), 3)
    for k, aus in enumerate([{}, *({au: 5} for au in AUS)]):
        row, column = divmod(k, 6)
        cell = sheet[row * 66:row * 66 + size, column * 66:column * 66 + size]
        want = render(1, aus, size=size)[0]
        # the caption covers the top
        assert (cell[20:] == want[20:]).all() and (cell[:20] != want[:20]).any()


def test_tile_fills_up_with_white():
    cells = [np.full((4, 4, 3), v, np.uint8) for v in (10, 20, 30)]
    sheet = sheets.tile(cells, 2, gap=1)
    assert sheet.shape == (10, 10, 3)
    assert sheet[0, 0, 0] == 10 and sheet[5, 0, 0] == 30 and (sheet[5:, 5:] == 255).all()


def test_caption():
    assert sheets.caption({12: 1, 6: 2}) == '6+12' and sheets.caption({}) == 'neutral'


def test_jpeg_respects_the_limit(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    path = tmp_path / 'a.jpg'
    best = sheets.write_jpeg(path, noise, 10 ** 6)
    assert best == 92 and path.stat().st_size > 9000
    quality = sheets.write_jpeg(path, noise, 9000)
    assert quality < best and path.stat().st_size <= 9000
    with pytest.raises(ValueError, match=r'a\.jpg: larger than 100 bytes'):
        sheets.write_jpeg(path, noise, 100)
    flat = np.full((32, 32, 3), (200, 40, 10), np.uint8)
    sheets.write_jpeg(path, flat, 10 ** 6)
    assert np.abs(cv2.imread(str(path))[..., ::-1].astype(int) - flat).max() < 5    # RGB kept
