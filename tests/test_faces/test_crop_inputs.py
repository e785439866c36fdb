# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is found in a source, in which order, and cut into which units."""

import pytest
from PIL import Image

from fmae_iat_plugin.faces import CropError, CropOptions
from fmae_iat_plugin.faces.crop_inputs import CHUNK, find_source

HEADER = 'image,subject,AU1,sequence,frame'


def table(folder, rows, header=HEADER, images='images'):
    (folder / 'annotation.csv').write_text('\n'.join([header, *rows]) + '\n')
    for row in rows if images is not None else ():
        path = folder / images / row.split(',')[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def units(source):
    return [(unit.name, unit.related, [frame.source for frame in unit.frames])
            for unit in source.units]


def test_sequences_of_a_table_by_frame_number_not_by_name(tmp_path):
    rows = ['B/10.jpg,B,0,T1,10', 'B/9.jpg,B,0,T1,9', 'A/1.jpg,A,1,T10,1', 'A/2.jpg,A,1,T2,1']
    source = find_source(table(tmp_path, rows), tmp_path / 'out', CropOptions())
    assert units(source) == [('A/T2', True, ['A/2.jpg']), ('A/T10', True, ['A/1.jpg']),
                             ('B/T1', True, ['B/9.jpg', 'B/10.jpg'])]
    assert source.units[2].frames[0].number == 9
    assert source.units[2].frames[0].path == tmp_path / 'images/B/9.jpg'


@pytest.mark.parametrize('frames', [('', '', ''), ('a', 'b', 'c'), ('4', '4', '5')])
def test_without_usable_frame_numbers_the_order_of_the_rows_counts(tmp_path, frames):
    rows = [f'{name}.jpg,A,0,T1,{frame}' for name, frame in zip('xyz', frames)]
    unit, = find_source(table(tmp_path, rows), tmp_path / 'out', CropOptions()).units
    assert [(f.source, f.number) for f in unit.frames] == [('x.jpg', 0), ('y.jpg', 1), ('z.jpg', 2)]


@pytest.mark.parametrize('place', ['images', '', 'pictures'])
def test_where_the_images_of_a_table_are(tmp_path, place):
    folder = table(tmp_path, ['images/1.jpg,A,0,T1,1', 'images/2.jpg,A,0,T1,2'], images=place)
    given = tmp_path / place if place == 'pictures' else None
    source = find_source(folder, tmp_path / 'out', CropOptions(), given)
    assert all(frame.path.is_file() for frame in source.units[0].frames)
    if place == 'pictures':
        with pytest.raises(CropError, match='first .*images/images/1.jpg or .*images/1.jpg'):
            find_source(folder, tmp_path / 'out', CropOptions())


def test_a_table_without_sequences_is_cut_into_chunks(tmp_path):
    rows = [f'{n}.jpg,A,0' for n in range(CHUNK + 1)]
    folder = table(tmp_path, rows, 'image,subject,AU1')
    source = find_source(folder, tmp_path / 'out', CropOptions())
    assert [len(unit.frames) for unit in source.units] == [CHUNK, 1]
    assert not any(unit.related for unit in source.units)
    with pytest.raises(CropError, match='tracking needs the column .sequence.'):
        find_source(folder, tmp_path / 'out', CropOptions(track=3))


def test_a_folder_is_searched_below_in_natural_order(tmp_path):
    for name in ('2.jpg', '10.jpg', 's10/1.PNG', 's2/1.bmp', 's2/v.mp4', '.hidden/1.jpg',
                 's2/.x.jpg', 'notes.txt', 'out/faces/1.jpg'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    plain = find_source(tmp_path, tmp_path / 'out', CropOptions())
    assert units(plain) == [('images 1', False, ['2.jpg', '10.jpg', 's2/1.bmp', 's10/1.PNG']),
                            ('s2/v.mp4', True, [])]
    assert plain.units[1].video == tmp_path / 's2/v.mp4'
    tracked = find_source(tmp_path, tmp_path / 'out', CropOptions(track=2))
    assert [(name, related) for name, related, _ in units(tracked)] == [
        ('/', True), ('s2/', True), ('s10/', True), ('s2/v.mp4', True)]


def test_images_that_differ_in_their_suffix_only_keep_it(tmp_path):
    for name in ('1.jpg', '1.png', '2.png'):
        (tmp_path / name).touch()
    unit, = find_source(tmp_path, tmp_path / 'out', CropOptions()).units
    assert [frame.stem for frame in unit.frames] == ['1.jpg', '1.png', '2']


def test_errors_name_what_is_wrong(tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(CropError, match='nowhere does not exist'):
        find_source(tmp_path / 'nowhere', out, CropOptions())
    with pytest.raises(CropError, match='neither images .* nor videos'):
        find_source(tmp_path, out, CropOptions())
    (tmp_path / '1.jpg').touch()
    with pytest.raises(CropError, match='its crops need another folder'):
        find_source(tmp_path, tmp_path, CropOptions())
    folder = table(tmp_path, ['1.jpg,A,0,T1,1'], images=None)
    with pytest.raises(CropError, match='the labels of a row are those of one face'):
        find_source(folder, out, CropOptions(faces='all'))
    with pytest.raises(CropError, match='not one of its 1 images exists, first .*pictures/1.jpg'):
        find_source(folder, out, CropOptions(), tmp_path / 'pictures')
    for name in ('/data/1.jpg', 'a/../../1.jpg'):  # a crop must never land on its frame
        table(tmp_path, ['1.jpg,A,0,T1,1', f'{name},A,0,T1,2'], images=None)
        with pytest.raises(CropError, match=f'line 3: image .{name}. leaves the image folder'):
            find_source(folder, out, CropOptions())
    table(tmp_path, ['1.jpg,A,0,detected'], 'image,subject,AU1,face', images=None)
    with pytest.raises(CropError, match='columns face already'):
        find_source(folder, out, CropOptions())


def test_a_folder_behind_links_and_after_a_mac(tmp_path):
    """Links are followed; what looks like a picture and is not read is handed on to be listed."""
    for name in ('in/a.jpg', 'in/._a.jpg', 'in/__MACOSX/a.jpg', 'disk/b.jpg', 'in/c.heic'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'x')
    (tmp_path / 'in/linked').symlink_to(tmp_path / 'disk')
    (tmp_path / 'in/gone.jpg').symlink_to(tmp_path / 'nothing.jpg')
    source = find_source(tmp_path / 'in', tmp_path / 'in/out', CropOptions())
    assert units(source) == [('images 1', False, ['a.jpg', 'linked/b.jpg'])]
    assert sorted(entry.item for entry in source.passed_over) == [
        str(tmp_path / 'in/c.heic'), str(tmp_path / 'in/gone.jpg')]


def test_links_animations_and_files_that_are_not_read(tmp_path):
    folder, other = tmp_path / 'in', tmp_path / 'other'
    folder.mkdir()
    other.mkdir()
    for path in (folder / 'a.png', other / 'b.jpg'):
        Image.new('RGB', (8, 8)).save(path)
    frames = [Image.new('RGB', (8, 8), (60 * k, 0, 0)) for k in range(3)]
    frames[0].save(folder / 'c.gif', save_all=True, append_images=frames[1:])
    (folder / 'there').symlink_to(other, target_is_directory=True)
    (folder / 'gone.png').symlink_to(tmp_path / 'nothing.png')
    (folder / 'd.heic').write_bytes(b'\0\0\0\x18ftypheic')
    found = find_source(folder, tmp_path / 'out', CropOptions())
    assert [[frame.source for frame in unit.frames] or unit.name for unit in found.units] == [
        ['a.png', 'there/b.jpg'], 'c.gif']
    assert found.units[1].video == folder / 'c.gif' and found.units[1].related
    assert [(entry.item, entry.reason.partition(':')[0]) for entry in found.passed_over] == [
        (str(folder / 'd.heic'), 'not predicted or cropped'),
        (str(folder / 'gone.png'), 'link to something that does not exist')]
    with pytest.raises(CropError, match="d.heic: the suffix is '.heic'; pictures are read from"):
        find_source(folder / 'd.heic', tmp_path / 'out', CropOptions())


def test_stems_leave_room_for_an_ending(tmp_path):
    for letter in 'ab':
        Image.new('RGB', (8, 8)).save(tmp_path / f'{"x" * 250}{letter}.png')
    unit, = find_source(tmp_path, tmp_path / 'out', CropOptions()).units
    stems = [frame.stem for frame in unit.frames]
    assert len(set(stems)) == 2 and max(map(len, stems)) <= 255 - len('_12.jpg')
