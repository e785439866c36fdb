# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What may be predicted, and the words for what may not; nothing is passed over in silence."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fmae_iat_plugin.inference.inputs import find_inputs, once, read_items


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with 1.png to 3.png whose grey value is 10, 20, 30."""
    for number in (1, 2, 3):
        Image.new('RGB', (8, 6), (10 * number, ) * 3).save(tmp_path / f'{number}.png')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def greys(inputs):
    """The grey values of the frames of inputs, in order; nothing may be unreadable."""
    problems = []
    values = [int(frame.image[0, 0, 0]) for _, frame in
              read_items(once(find_inputs(inputs)), 1, problems)]
    assert problems == []
    return values


@pytest.mark.parametrize('make', [
    lambda: (path for path in sorted(Path('.').glob('*.png'))), lambda: map(str, '1.png 2.png '
                                                                            '3.png'.split()),
    lambda: {'2.png', '1.png', Path('3.png')}, lambda: pd.Series(['1.png', '2.png', '3.png']),
    lambda: np.array(['1.png', '2.png', '3.png']), lambda: dict(a='1.png', b='2.png',
                                                                c='3.png').values(),
    lambda: [Image.open('1.png'), '2.png', Image.open('3.png').convert('L')], lambda: '*.png',
    lambda: ['1.png', './1.png', '2.png', Path('3.png').resolve(), '.']])
def test_iterables_of_inputs_pillow_images_and_names_given_twice(folder, make):
    assert greys(make()) == [10, 20, 30]


@pytest.mark.parametrize('value,words', [
    (None, 'NoneType'), (True, 'True is of type bool'), (1.5, '1.5 is of type float'),
    (b'abc', 'bytes'), (torch.zeros(3, 4, 4), 'torch.Tensor'), ({'a.png': 1}, 'dict'),
    (pd.DataFrame({'image': ['1.png']}), 'DataFrame'), (object(), 'object'), (-1, '-1')])
def test_other_types_are_named(folder, value, words):
    for inputs in (value, [value]):
        with pytest.raises(TypeError, match=words) as error:
            find_inputs(inputs)
        assert 'Remedy: a path' in str(error.value)
    problems = []
    assert len(find_inputs(['1.png', value], problems)) == 1
    assert words in problems[0].detail


@pytest.mark.parametrize('value', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)),
                                   np.zeros((2, 4, 4, 3), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_arrays_that_are_no_images(value):
    with pytest.raises(ValueError, match='array 1 is .* Remedy: an image is uint8'):
        find_inputs(value)


@pytest.mark.parametrize('value', ['', ' ', ['', '  ']])
def test_an_empty_name_is_not_the_current_folder(folder, value):
    with pytest.raises(ValueError, match='an input is empty'):
        find_inputs(value)
    assert greys('.') == [10, 20, 30]


def test_what_exists_is_meant(folder, monkeypatch):
    """Before a camera, a pattern, or somebody's home."""
    monkeypatch.setenv('HOME', str(folder / 'elsewhere'))
    for name in ('webcam', '~', '[1]'):
        (folder / name).mkdir()
        Image.new('RGB', (8, 6), (len(name), ) * 3).save(folder / name / 'a.png')
        assert greys(name) == [len(name)]
    assert find_inputs('webcam:0')[0].camera == 0
    with pytest.raises(FileNotFoundError, match='~nobody/a.png does not exist'):
        find_inputs('~nobody/a.png')
    with pytest.raises(FileNotFoundError, match='x.* does not exist'):
        find_inputs('x' * 5000)
    with pytest.raises(ValueError, match='null'):
        find_inputs('a\0.png')


def test_what_looks_like_a_picture_or_video_is_listed(folder):
    iso = b'\0\0\0\x18ftyp%s\0\0\0\0mif1heic' + bytes(200)
    (folder / 'a.HEIC').write_bytes(iso % b'heic')
    (folder / 'download').write_bytes((folder / '1.png').read_bytes())
    (folder / 'song.m4a').write_bytes(iso % b'M4A ')
    (folder / 'notes.txt').write_text('nothing to see')
    (folder / '._2.png').write_bytes(b'what a Mac leaves')
    (folder / '__MACOSX').mkdir()
    (folder / '__MACOSX' / '2.png').write_bytes(b'what a Mac leaves')
    (folder / 'gone.mp4').symlink_to('/nowhere/gone.mp4')
    (folder / 'code.ts').write_text('export const x = 1')
    packet = b'\x47' + bytes(187)
    (folder / 'tape.ts').write_bytes(packet * 3)
    for inputs in ('.', '*'):
        listed = []
        found = find_inputs(inputs, listed)
        assert [Path(item.unit.name).name for item in found] == ['1.png', '2.png', '3.png',
                                                                'tape.ts']
        assert {Path(entry.item).name: entry.reason.split(':')[0] for entry in listed} == {
            'a.HEIC': 'not predicted or cropped', 'download': 'not predicted or cropped',
            'gone.mp4': 'link to something that does not exist'}
    with pytest.raises(FileNotFoundError, match='gone.mp4 is a link to /nowhere/gone.mp4'):
        find_inputs('gone.mp4')


def test_folders_behind_links_are_searched_once(folder):
    (folder / 'other').mkdir()
    (folder / 'in').mkdir()
    (folder / 'in' / 'there').symlink_to(folder / 'other', target_is_directory=True)
    Image.new('RGB', (8, 6), (70, ) * 3).save(folder / 'other' / 'a.png')
    (folder / 'other' / 'back').symlink_to(folder / 'in', target_is_directory=True)
    assert greys('in') == [70]


@pytest.mark.skipif(os.name != 'posix' or os.geteuid() == 0, reason='root may open every folder')
def test_a_folder_that_may_not_be_opened_is_listed(folder):
    (folder / 'closed').mkdir(mode=0)
    listed = []
    find_inputs('.', listed)
    assert [(entry.item, entry.reason) for entry in listed] == [
        ('./closed', 'folder that cannot be opened')]


@pytest.mark.parametrize('suffix', ['.gif', '.webp', '.png', '.tif'])
def test_all_frames_of_an_animation(tmp_path, suffix):
    """Of the pages of a TIFF, which are no film, it is said that one was taken."""
    pictures = [Image.new('RGB', (16, 16), (40 * k, 0, 0)) for k in range(5)]
    pictures[0].save(tmp_path / f'a{suffix}', save_all=True, append_images=pictures[1:],
                     **({} if suffix == '.tif' else dict(duration=[100, 200, 100, 100, 100])))
    problems = []
    frames = [frame for _, frame in
              read_items(find_inputs(tmp_path / f'a{suffix}'), 1, problems)]
    if suffix == '.tif':
        assert len(frames) == 1 and problems[0].detail == '4 further pages'
        return
    assert problems == [] and [frame.number for frame in frames] == [1, 2, 3, 4, 5]
    assert [frame.timestamp for frame in frames] == [0, .1, .3, .4, .5]
    reds = [int(frame.image[8, 8, 2]) for frame in frames]
    np.testing.assert_allclose(reds, [0, 40, 80, 120, 160], atol=4)
