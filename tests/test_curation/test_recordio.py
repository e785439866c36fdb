# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RecordIO: bytes written by the format's description, read back; and what is cut or foreign."""

import struct

import numpy as np
import pytest

from fmae_iat_plugin.curation.recordio import MAGIC, find_records, next_record, read_record
from fmae_iat_plugin.curation.structures import Member, Reject
from fmae_iat_plugin.synthfacs.releases.face9m_sources import records


def piece(part, content):
    return struct.pack('<II', MAGIC, part << 29 | len(content)) + content + b'\0' * (
        -len(content) % 4)


def header(label=0., flag=0, key=0):
    return struct.pack('<IfQQ', flag, label, key, 0)


def test_a_record_with_one_label(tmp_path):
    path = tmp_path / 'a.rec'
    path.write_bytes(piece(0, header(7.) + b'picture') + piece(0, header(9.) + b'next'))
    with open(path, 'rb') as file:
        assert next_record(file) == ((7., ), b'picture')
        assert next_record(file) == ((9., ), b'next')
        assert next_record(file) is None


def test_several_labels_stand_before_the_content(tmp_path):
    path = tmp_path / 'a.rec'
    path.write_bytes(piece(0, header(flag=2) + struct.pack('<2f', 3., 5.) + b'picture'))
    with open(path, 'rb') as file:
        assert next_record(file) == ((3., 5.), b'picture')


def test_a_content_with_the_magic_number_is_joined_again(tmp_path):
    magic, path = struct.pack('<I', MAGIC), tmp_path / 'a.rec'
    path.write_bytes(piece(1, header(7.) + b'12345678') + piece(2, b'') + piece(3, b'end')
                     + piece(0, header(8.) + b'after'))
    with open(path, 'rb') as file:
        assert next_record(file).content == b'12345678' + magic + magic + b'end'
        assert next_record(file).content == b'after'


@pytest.mark.parametrize('index', [True, False])
def test_identities_are_no_images(tmp_path, index):
    """Two images of one person, one of another: a header, three images, two identities."""
    magic = struct.pack('<I', MAGIC)
    images = [b'first', b'sec' + magic * 3 + b'ond', b'1234' + magic + b'third']
    data, idx = records(images, [4, 4, 6])
    (tmp_path / 'a.rec').write_bytes(data)
    if index:
        (tmp_path / 'a.idx').write_bytes(idx)
    *members, others = find_records(str(tmp_path / 'a.rec'))
    assert others == Reject('', '', 'not an image', 'records of identities', 3)
    with open(tmp_path / 'a.rec', 'rb') as file:
        assert [read_record(file, member) for member in members[::-1]] == [
            ('0000006/000000003', images[2]), ('0000004/000000002', images[1]),
            ('0000004/000000001', images[0])]


def test_what_is_cut_or_no_record(tmp_path):
    path, whole = tmp_path / 'a.rec', piece(0, header(7.) + b'picture')
    for content, message in ((whole[:20], 'ends after 12 of 31'), (whole[:6], 'inside a record'),
                             (b'12345678', 'no record begins at byte 0'),
                             (piece(0, b'short'), 'a record of 5 bytes'),
                             (piece(1, header()), 'inside a record'),
                             (piece(0, header(flag=9)), '24 bytes with 9 labels')):
        path.write_bytes(content)
        with open(path, 'rb') as file, pytest.raises((EOFError, ValueError), match=message):
            read_record(file, Member('0', 0))
    path.write_bytes(whole + b'garbage that is no record')
    assert list(find_records(str(path))) == [
        Member('000000000', 0), Reject('', '', 'unreadable', f'no record begins at byte '
                                       f'{len(whole)}')]
    path.write_bytes(b'')
    assert [row.detail for row in find_records(str(path))] == ['no record']


def test_random_contents_survive(tmp_path):
    generator, magic = np.random.default_rng(0), struct.pack('<I', MAGIC)
    contents = [b''.join(generator.choice([magic, b'a', b'bcd', b'efgh'], size))
                for size in range(40)]
    data, _ = records(contents, range(40))
    (tmp_path / 'a.rec').write_bytes(data)
    members = [m for m in find_records(str(tmp_path / 'a.rec')) if isinstance(m, Member)]
    with open(tmp_path / 'a.rec', 'rb') as file:
        assert [read_record(file, member)[1] for member in members] == contents
