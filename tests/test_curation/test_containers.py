# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Containers: every kind gives the bytes that were put in, in order, and names all else."""

import base64
import gzip
import io
import tarfile
import zipfile

import pytest

from fmae_iat_plugin.curation.containers import KINDS, READ_ERRORS, find_files, kind_of_archive
from fmae_iat_plugin.curation.structures import Member, Reject
from fmae_iat_plugin.synthfacs.releases.face9m_sources import gzipped_tar, table, tarred, zipped

FILES = [('b/10.jpg', b'ten' * 400), ('b/2.PNG', b'two'), ('a.json', b'{}'), ('b/c.json', b'{}'),
         ('x' * 130 + '/é.jpeg', b'long'), ('__MACOSX/._10.jpg', b'mac'), ('inner.zip', b'PK')]
WANTED = {'b/10.jpg': b'ten' * 400, 'b/2.PNG': b'two', 'x' * 130 + '/é.jpeg': b'long'}


def pax_tar(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for kind in (tarfile.SYMTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo(f'{kind!r}.jpg')
            info.type, info.linkname = kind, 'b/2.PNG'
            tar.addfile(info)
    return buffer.getvalue()


def contents(kind, path, tmp_path):
    more = (str(tmp_path / 'index'), ) if kind == 'tgz' else ()
    found = list(KINDS[kind].find(str(path), *more))
    read = KINDS[kind].open(str(path), *more)
    members = [entry for entry in found if isinstance(entry, Member)]
    backwards = [read(member) for member in members[::-1]]
    return backwards[::-1], [entry for entry in found if isinstance(entry, Reject)]


@pytest.mark.parametrize('kind, name, links', [('zip', 'a.ZIP', 0), ('tar', 'a.tar', 1),
                                               ('tgz', 'a.tar.gz', 1), ('tgz', 'a.tgz', 1)])
def test_archives(tmp_path, kind, name, links):
    make = dict(zip=zipped, tar=pax_tar, tgz=lambda files: gzip.compress(pax_tar(files)))[kind]
    path = tmp_path / name
    path.write_bytes(make(FILES))
    assert kind_of_archive(str(path)) == kind
    members, rejects = contents(kind, path, tmp_path)
    assert members == list(WANTED.items())
    assert [(r.rule, r.member, r.detail, r.number) for r in rejects] == [
        ('an archive of a kind that is not read', 'inner.zip', 'an archive inside an archive', 1),
        ('not an image', '', '.jpg', 1), ('not an image', '', '.json', 2),
        *[('not an image', '', 'link or special file', 1)] * links]
    assert len(members) + sum(r.number for r in rejects) == len(FILES) + links


def test_a_table_gives_its_last_column(tmp_path):
    path = tmp_path / 'faces.tsv'
    images = [b'\xff\xd8\xff' + bytes([k] * k) for k in range(12)]
    path.write_bytes(table(images, [f'm.{k}' for k in range(12)]) + b'\n')
    members, rejects = contents('tsv', path, tmp_path)
    assert members == [(f'm.{k}/{k:09d}', images[k]) for k in range(12)]
    assert rejects == [Reject('', '', 'not an image', 'empty lines', 1)]
    assert kind_of_archive(str(path)) == 'tsv'
    path.write_bytes(b'name\tlabel\nm.1\t' + base64.b64encode(images[3]))
    assert kind_of_archive(str(path)) is None  # its first line holds no image


def test_a_damaged_line_is_one_error(tmp_path):
    path = tmp_path / 'faces.tsv'
    path.write_bytes(table([b'\xff\xd8\xff'], ['m.0']) + b'm.1\tno base64!\nno tab\n')
    read = KINDS['tsv'].open(str(path))
    good, *bad = KINDS['tsv'].find(str(path))
    assert read(good) == ('m.0/000000000', b'\xff\xd8\xff')
    for member in bad:
        with pytest.raises(READ_ERRORS):
            read(member)


def test_files_come_folder_by_folder_in_natural_order(tmp_path):
    names = ['10.jpg', '9.jpg', 'p10/1.jpg', 'p9/10.png', 'p9/9.png', 'p9/list.txt', 'p9/2.tar',
             'LICENSE', '.DS_Store', 'p9/._9.png', '@eaDir/x/9.jpg', 'q.7z']
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = list(find_files(str(tmp_path)))
    members = [entry.name for entry in found if isinstance(entry, Member)]
    assert members == ['9.jpg', '10.jpg', 'p9/9.png', 'p9/10.png', 'p10/1.jpg']
    assert [entry for entry in found if isinstance(entry, str)] == ['p9/2.tar']
    rejects = [entry for entry in found if isinstance(entry, Reject)]
    assert [(r.member, r.detail, r.number) for r in rejects] == [
        ('q.7z', 'Remedy: unpack it', 1), ('', 'no suffix', 1), ('', '.txt', 1),
        ('', 'of the system', 3)]
    assert len(members) + 1 + sum(r.number for r in rejects) == len(names)
    read = KINDS['folder'].open(str(tmp_path))
    assert read(Member('p9/10.png')) == ('p9/10.png', b'p9/10.png')


def test_members_that_end_early_or_are_damaged(tmp_path):
    """A tar archive that is cut, a zip archive with a wrong checksum, a gzip file that is cut."""
    tar = tmp_path / 'a.tar'
    tar.write_bytes(tarred([('1.jpg', b'x' * 2000), ('2.jpg', b'y' * 2000)])[:4000])
    with pytest.raises(READ_ERRORS):
        list(KINDS['tar'].find(str(tar)))
    tar.write_bytes(tar.read_bytes()[:2560])  # the end of the first member
    with pytest.raises(EOFError, match='no end mark at byte 2560'):
        list(KINDS['tar'].find(str(tar)))
    tar.write_bytes(tarred([('1.jpg', b'x' * 2000), ('2.jpg', b'y' * 2000)])[:4000])
    read = KINDS['tar'].open(str(tar))
    assert read(Member('1.jpg', 512, 2000)) == ('1.jpg', b'x' * 2000)
    with pytest.raises(EOFError, match='after 928 of 2000 bytes'):
        read(Member('2.jpg', 3072, 2000))
    archive = tmp_path / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
        file.writestr('1.jpg', b'content of the first')
    archive.write_bytes(archive.read_bytes().replace(b'content', b'c0ntent'))
    with pytest.raises(READ_ERRORS, match='CRC'):
        KINDS['zip'].open(str(archive))(Member('1.jpg', 0))
    cut = tmp_path / 'a.tgz'
    cut.write_bytes(gzipped_tar([(f'{k}.jpg', bytes([k]) * 5000) for k in range(9)])[:150])
    with pytest.raises(READ_ERRORS):
        list(KINDS['tgz'].find(str(cut), str(tmp_path / 'index')))
