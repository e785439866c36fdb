# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The emulated sources hold every image once, as the standard library and the formats read them."""

import base64
import struct
import tarfile
import zipfile

import pytest

from fmae_iat_plugin.synthfacs.releases.face9m_sources import SOURCES, write_face9m_sources

IMAGES = [('.png' if k % 4 == 0 else '.jpg', b'\xff\xd8\xff' + bytes([k]) * (k + 1))
          for k in range(30)]


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp('sources')
    return root, write_face9m_sources(root, IMAGES)


def members(path):
    """Name or number -> bytes."""
    if path.suffix == '.zip':
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    if path.suffix == '.tsv':
        return {str(number): base64.b64decode(line.split('\t')[6])
                for number, line in enumerate(path.read_text().splitlines())}
    if path.suffix == '.rec':
        data, found = path.read_bytes(), {}
        for line in path.with_suffix('.idx').read_text().splitlines():
            key, place = map(int, line.split())
            magic, length = struct.unpack_from('<II', data, place)
            assert magic == 0xced7230a and length < 2**29
            found[str(key)] = data[place + 8 + 24:place + 8 + length]
        return found
    with tarfile.open(path) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}


def test_every_image_is_where_it_is_said_to_be(written):
    root, placed = written
    assert sorted(place.number for place in placed) == list(range(len(IMAGES)))
    assert {place.source for place in placed} == set(SOURCES)
    for place in placed:
        folder = root / place.source
        found = members(folder / place.archive) if place.archive else {
            place.member: (folder / place.member).read_bytes()}
        assert found[place.member] == IMAGES[place.number][1]


def test_laion_is_as_img2dataset_writes_it(written):
    names = list(members(written[0] / 'laion' / '00000.tar'))
    assert [name.split('.')[1] for name in names[:3]] == [IMAGES[7][0][1:], 'txt', 'json']
    assert len({name.split('.')[0] for name in names}) == len(names) // 3


def test_too_few_images(tmp_path):
    with pytest.raises(ValueError, match='17 images for 9 sources; give at least 18'):
        write_face9m_sources(tmp_path, IMAGES[:17])
