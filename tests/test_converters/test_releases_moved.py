# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Releases that went through another system, or lie on several disks: the same table as before."""

import os
import shutil

import pytest
from small_releases import Result, write_picture, write_text

from fmae_iat_plugin import converters
from fmae_iat_plugin.datasets.affectnet import read_affectnet
from fmae_iat_plugin.datasets.rafdb import read_rafdb
from fmae_iat_plugin.synthfacs import releases

pytestmark = pytest.mark.slow

SMALL = dict(size=48, frames=4, workers=1, subjects=2)
DOUBLE = b'\0\5\26\7\0\2\0\0Mac OS X        ' + bytes(82)
WRITERS = dict(
    bp4d=lambda to: releases.write_bp4d(to, tasks=('T1', ), frames_as='images', **SMALL),
    bp4d_videos=lambda to: releases.write_bp4d(to, tasks=('T1', ), frames_as='videos', **SMALL),
    bp4dplus=lambda to: releases.write_bp4dplus(to, tasks=('T1', ), frames_as='images', **SMALL),
    disfa=lambda to: releases.write_disfa(to, **SMALL),
    rafdb=lambda to: releases.write_rafdb(to, **{**SMALL, 'frames': 8}),
    affectnet=lambda to: releases.write_affectnet(to, **{**SMALL, 'frames': 8}))
CONVERTERS = dict(
    bp4d=converters.convert_bp4d, bp4d_videos=converters.convert_bp4d,
    bp4dplus=converters.convert_bp4dplus, disfa=converters.convert_disfa)
READERS = dict(
    rafdb=read_rafdb,
    affectnet=lambda root: [*read_affectnet(root, 'train'), *read_affectnet(root, 'val')])


def read(kind, release):
    """The images of expressions with labels and contents, and how many problems there are."""
    release = release.absolute()
    parts = READERS[kind](release)
    images = sorted((str(image.path.relative_to(release)), image.split, image.code,
                     image.path.read_bytes()) for part in parts[::2] for image in part)
    assert len(images) > 4
    return images, sum(map(len, parts[1::2]))


def converted(kind, release, out):
    """The tables, and how many entries the list of what was left out has."""
    if kind in READERS:
        return read(kind, release)
    CONVERTERS[kind](str(release), str(out))
    tables = {path.name: path.read_bytes() for path in out.glob('*.csv')
              if path.name != 'skipped.csv'}
    assert tables
    return tables, (out / 'skipped.csv').read_text().count('\n')


@pytest.fixture(params=list(WRITERS))
def kind(request):
    return request.param


@pytest.fixture
def release(tmp_path, kind):
    WRITERS[kind](tmp_path / 'release')
    return tmp_path / 'release'


def test_what_a_mac_leaves_beside_the_files_is_nothing(release, kind, tmp_path):
    clean = converted(kind, release, tmp_path / 'clean')
    shutil.copytree(release, tmp_path / 'mac')
    for root, folders, names in os.walk(release):
        place = tmp_path / 'mac' / os.path.relpath(root, release)
        other = tmp_path / 'mac/__MACOSX' / os.path.relpath(root, release)
        other.mkdir(parents=True, exist_ok=True)
        for name in (*folders, *names):
            (place / f'._{name}').write_bytes(DOUBLE)
            (other / f'._{name}').write_bytes(DOUBLE)
            if name in names:
                (other / name).write_bytes(DOUBLE)
        for name in ('.DS_Store', 'Thumbs.db'):
            (place / name).write_bytes(DOUBLE)
    assert converted(kind, tmp_path / 'mac', tmp_path / 'out') == clean


@pytest.mark.parametrize('how', ['every folder', 'every file'])
def test_links_to_another_disk_are_followed(release, kind, tmp_path, how):
    clean = converted(kind, release, tmp_path / 'clean')
    linked, disk = tmp_path / 'linked', tmp_path / 'disk'
    disk.mkdir()

    def copy(source, target):
        """Folders, or files, of the copy stand on the disk, and links lead there."""
        if source.is_dir():
            real = disk / f'{len(list(disk.iterdir()))}' if how == 'every folder' else target
            real.mkdir()
            for path in source.iterdir():
                copy(path, real / path.name)
        else:
            real = target if how == 'every folder' else disk / f'{len(list(disk.iterdir()))}'
            shutil.copyfile(source, real)
        if real != target:
            target.symlink_to(real)

    copy(release, linked)
    assert linked.is_symlink() == (how == 'every folder')
    assert converted(kind, linked, tmp_path / 'out') == clean


def test_a_link_that_leads_nowhere_is_listed(tmp_path):
    release = tmp_path / 'release'
    write_text(release / 'AU_OCC/F001_T1.csv', '0,1', '1,0', '2,1', '3,1')
    for number in (1, 3):
        write_picture(release / f'F001/T1/{number}.png', number)
    (release / 'F001/T1/2.png').symlink_to(tmp_path / 'gone.png')
    (release / 'F001/back').symlink_to(release)  # a circle ends
    converters.convert_bp4d(str(release), str(tmp_path / 'out'))
    result = Result(tmp_path / 'out')
    assert result.pictured() == [1, 3]
    assert {reason[0] for reason in result.reasons()} == {
        'link to something that does not exist', 'labelled frame without image'}


def test_tables_of_a_folder_and_their_images(tmp_path):
    release, images = tmp_path / 'tables', tmp_path / 'images'
    write_text(release / 'a.csv', '\ufeffimage,subject,AU1', 'x/1.png,A,1', 'x/2.png,A,0')
    (release / '._a.csv').write_bytes(DOUBLE)
    for number in (1, 2, 3):
        write_picture(tmp_path / f'disk/{number}.png', number)
    (tmp_path / 'disk/._1.png').write_bytes(DOUBLE)
    images.mkdir()
    (images / 'x').symlink_to(tmp_path / 'disk')
    converters.convert_csv_table(str(release), str(tmp_path / 'out'), converters.Mapping(),
                                 images=str(images), reference=None)
    with open(tmp_path / 'out/skipped.csv') as file:
        assert [line.split(',')[:2] for line in file][1:] == [['image without label', 'x/3.png']]
    assert (tmp_path / 'out/annotation.csv').read_text().count('\n') == 3
