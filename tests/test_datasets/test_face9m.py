# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Face9M over folders, lists and shards, through the pipeline and mmengine's loader."""

import io
import os
import pickle
import tarfile
from unittest.mock import patch

import fsspec
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS
from PIL import Image

import fmae_iat_plugin.datasets.face9m  # noqa: F401
from fmae_iat_plugin.datasets.decoding import UnreadableImageError

PIPELINE = [dict(type='LoadFace'), dict(type='PackInputs')]
NAMES = ['a.png', 'x/b.pgm', 'x/c.gif', 'x/d.bmp', 'y/z/e.PNG', 'y/z/f.webp', 'y/z/g.jpg']


def build(root='', **kwargs):
    kwargs.setdefault('pipeline', PIPELINE)
    return DATASETS.build(dict(type='Face9M', data_root=root, **kwargs))


def colour(index):
    """A grey value that identifies an image, whatever its format."""
    return 20 * index + 10


def image_bytes(name, index):
    buffer = io.BytesIO()
    kind = {'pgm': 'PPM', 'jpg': 'JPEG'}.get(name[-3:].lower(), name.split('.')[-1].upper())
    Image.new('L', (6, 5), colour(index)).save(buffer, kind)
    return buffer.getvalue()


def fill(root, names=NAMES):
    for index, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(image_bytes(name, index))
    return root


def fill_shards(root, names=NAMES):
    """Names 0-2 in shard 00, the rest in 01, together with files that are no images."""
    root.mkdir(parents=True, exist_ok=True)
    for shard, part in enumerate((names[:3], names[3:])):
        with tarfile.open(root / f'{shard:02d}.tar', 'w') as tar:
            for name in reversed(part):
                for member, data in ((name, image_bytes(name, names.index(name))),
                                     (name + '.json', b'{}')):
                    info = tarfile.TarInfo(member)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    return root


def colours(dataset):
    """The index of each image, told by its pixels."""
    return [round((int(dataset[i]['inputs'].float().mean()) - 10) / 20)
            for i in range(len(dataset))]


def paths(dataset, root):
    return [os.path.relpath(dataset.get_data_info(i)['img_path'], root)
            for i in range(len(dataset))]


# ---------------------------------------------------------------- sources


def test_folder(tmp_path):
    dataset = build(str(fill(tmp_path)))
    (tmp_path / 'note.txt').touch()
    assert paths(dataset, tmp_path) == NAMES
    assert colours(dataset) == list(range(7))
    assert paths(build(str(tmp_path)), tmp_path) == NAMES
    sample = dataset[2]['data_samples']
    assert sample.sample_idx == 2 and sample.img_path == str(tmp_path / 'x/c.gif')
    assert 'gt_label' not in sample
    assert str(tmp_path) in repr(dataset)


@pytest.mark.parametrize('source', ['', '/00.tar,/01.tar', '/*.tar', '/{00..01}.tar'])
def test_shards(tmp_path, source):
    fill_shards(tmp_path)
    roots = [f'{tmp_path}{part}' for part in source.split(',')] if ',' in source else \
        f'{tmp_path}{source}'
    dataset = build(roots)
    assert paths(dataset, tmp_path) == [f'0{int(i > 2)}.tar/{n}' for i, n in enumerate(NAMES)]
    assert colours(dataset) == list(range(7))


def test_no_image_is_an_object(tmp_path):
    """Millions are opened: what is kept, and what a worker is given, does not grow with them."""
    long = tmp_path / ('long' * 30)
    few = build([str(fill(long / 'a')), str(fill_shards(long / 'b'))])
    many = [f'{folder}/{number:05d}.pgm' for folder in 'xy' for number in range(300)]
    more = build([str(fill(long / 'c', many)), str(fill_shards(long / 'd', many))])
    assert (len(few), len(more)) == (14, 1200)
    assert not few.data_list and not more.data_list
    sizes = [len(pickle.dumps(dataset)) for dataset in (few, more)]
    assert abs(sizes[0] - sizes[1]) < 100
    again = pickle.loads(pickle.dumps(more))
    assert [again.get_data_info(i) for i in (0, 599, 603, -1)] == [
        more.get_data_info(i) for i in (0, 599, 603, -1)]


def test_several_roots_in_the_given_order(tmp_path):
    fill(tmp_path / 'b', NAMES[:2])
    fill(tmp_path / 'a', NAMES[:1])
    fill_shards(tmp_path / 's')
    dataset = build([str(tmp_path / 'b'), str(tmp_path / 's'), str(tmp_path / 'a')])
    assert colours(dataset) == [0, 1, *range(7), 0]


def test_list_file(tmp_path):
    fill(tmp_path / 'images')
    outside = fill(tmp_path / 'outside', ['o.png', 'p.png']) / 'p.png'
    listing = tmp_path / 'list.txt'
    listing.write_text(f'y/z/g.jpg\n\na.png\n{outside}\n')
    dataset = build(str(tmp_path / 'images'), ann_file=str(listing))
    assert colours(dataset) == [6, 0, 1]  # as listed
    listing.write_text('a.png\nx/b.pgm extra\n')
    with pytest.raises(ValueError, match=r"list.txt, line 2: 'x/b.pgm extra' is not an image path"):
        build(str(tmp_path / 'images'), ann_file=str(listing))
    with pytest.raises(ValueError, match='needs one data_root'):
        build([str(tmp_path / 'images'), str(tmp_path / 'outside')], ann_file=str(listing))


def test_links_back_do_not_loop(tmp_path):
    fill(tmp_path / 'images')
    (tmp_path / 'images/x/loop').symlink_to(tmp_path / 'images')
    (tmp_path / 'linked').symlink_to(tmp_path / 'images')
    assert len(build(str(tmp_path / 'images'))) == 7
    assert len(build(str(tmp_path / 'linked'))) == 7


def test_bad_sources(tmp_path):
    (tmp_path / 'empty').mkdir()
    fill(tmp_path / 'images')
    fill_shards(tmp_path / 'shards')
    fill_shards(fill(tmp_path / 'mixed'))
    (tmp_path / 'list.txt').touch()
    here = str(tmp_path)
    for root, message in (
        (f'{here}/empty', 'no image .*empty'),
        (f'{here}/nothing', 'source .*nothing does not exist'),
        (f'{here}/nothing*.tar', 'no shard .*nothing'),
        (f'{here}/list.txt', 'neither a folder nor a .tar'),
        (f'{here}/mixed', r'holds images \(a.png\) and shards \(00.tar\)'),
        ([f'{here}/images', f'{here}/images/x'], 'overlap'),
        ([f'{here}/images', f'{here}/images/../images'], 'overlap'),
        ([f'{here}/shards', f'{here}/shards/00.tar'], '00.tar is named by two sources'),
        ('', 'set data_root'),
        ([], 'set data_root'),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            build(root)


def test_exclude(tmp_path):
    fill(tmp_path / 'images')
    fill_shards(tmp_path / 'shards')
    roots = [str(tmp_path / 'images'), str(tmp_path / 'shards')]
    listing = tmp_path / 'fold1.txt'
    listing.write_text(f'{tmp_path}/images/a.png\n00.tar/a.png\n')
    with patch.object(MMLogger.get_current_instance(), 'info') as info:
        assert colours(build(roots, exclude=str(listing))) == [1, 2, 3, 4, 5, 6] * 2
    assert '12 images' in info.call_args.args[0] and '2 more left out' in info.call_args.args[0]
    assert colours(build(roots, exclude=['y', '01.tar/y', '*.gif'])) == [0, 1, 3] * 2
    assert colours(build(roots, exclude='00.tar')) == [*range(7), 3, 4, 5, 6]
    with pytest.raises(ValueError, match="'F001' matches no image"):
        build(roots, exclude='F001')
    with pytest.raises(ValueError, match='no image .* 14 excluded'):
        build(roots, exclude='*')


def test_indices_and_unserialised(tmp_path):
    fill(tmp_path)
    assert colours(build(str(tmp_path), indices=[5, 1])) == [5, 1]
    assert colours(build(str(tmp_path), serialize_data=False)) == list(range(7))
    lazy = build(str(tmp_path), lazy_init=True)
    lazy.full_init()
    assert len(lazy) == 7
    for indices, wanted in ((3, [0, 1, 2]), (-2, [5, 6]), ([6, -7, 3], [6, 0, 3])):
        part = lazy.get_subset(indices)
        assert colours(part) == wanted and len(lazy) == 7
        assert colours(part.get_subset([1])) == wanted[1:2]
    lazy.get_subset_([4, 2])
    assert colours(lazy) == [4, 2]
    with pytest.raises(IndexError, match='image 2 of 2'):
        lazy.get_data_info(2)
    assert [info['img_path'] for info in lazy.load_data_list()] == [
        str(tmp_path / NAMES[i]) for i in (4, 2)]


def test_index_dir(tmp_path):
    fill_shards(tmp_path / 'shards')
    build(str(tmp_path / 'shards'), index_dir=str(tmp_path / 'index'))
    assert len(list((tmp_path / 'index').iterdir())) == 1
    assert len(list((tmp_path / 'shards').iterdir())) == 2


# ---------------------------------------------------------------- unreadable images


@pytest.mark.parametrize('kind', ['folder', 'shards'])
def test_unreadable_images_are_replaced_and_listed_once(tmp_path, kind):
    root = tmp_path / 'data'
    with patch(f'{__name__}.image_bytes',
               lambda name, index, real=image_bytes: b'x' * 50 if index in (1, 4) else
               real(name, index)):
        (fill if kind == 'folder' else fill_shards)(root)
    skip = tmp_path / 'lists/skip.txt'
    dataset = build(str(root), skip_file=str(skip))
    np.random.seed(0)
    with patch.object(MMLogger.get_current_instance(), 'warning') as warning:
        for _ in range(3):
            got = colours(dataset)
            assert [got[i] for i in (0, 2, 3, 5, 6)] == [0, 2, 3, 5, 6]
            assert not {1, 4} & set(got)
    assert warning.call_count == 2
    bad = [dataset.get_data_info(i)['img_path'] for i in (1, 4)]
    lines = [line.split('\t') for line in skip.read_text().splitlines()]
    assert sorted(line[0] for line in lines) == bad
    assert all(line[1].startswith('UnidentifiedImageError') for line in lines)
    # Another process meets them again: no line twice.
    again = build(str(root), skip_file=str(skip))
    colours(again)
    assert len(skip.read_text().splitlines()) == 2
    # The list can be excluded from the next run.
    assert colours(build(str(root), exclude=str(skip))) == [0, 2, 3, 5, 6]


def test_unreadable_images_are_an_error_in_tests(tmp_path):
    fill(tmp_path)
    (tmp_path / 'x/c.gif').write_bytes(b'GIF89a')
    with pytest.raises(UnreadableImageError, match='x/c.gif'):
        build(str(tmp_path), test_mode=True)[2]


def test_missing_file_of_a_list_is_replaced(tmp_path):
    fill(tmp_path)
    (tmp_path / 'list.txt').write_text('a.png\ngone.png\n')
    skip = tmp_path / 'skip.txt'
    dataset = build(str(tmp_path), ann_file='list.txt', skip_file=str(skip))
    assert colours(dataset) == [0, 0]
    assert 'gone.png\tFileNotFoundError' in skip.read_text()


# ---------------------------------------------------------------- with mmengine


@pytest.mark.parametrize('workers', [0, 2])
def test_loader_of_the_runner(tmp_path, workers):
    """The default sampler sees every image once; workers write one skip file together."""
    fill(tmp_path / 'a')
    fill_shards(tmp_path / 'b')
    (tmp_path / 'a/x/d.bmp').write_bytes(b'')
    skip = tmp_path / 'skip.txt'
    loader = Runner.build_dataloader(
        dict(batch_size=4, num_workers=workers, persistent_workers=workers > 0,
             dataset=dict(type='Face9M', _scope_='mmpretrain', skip_file=str(skip),
                          data_root=[str(tmp_path / 'a'), str(tmp_path / 'b')],
                          pipeline=PIPELINE),
             sampler=dict(type='DefaultSampler', shuffle=True),
             collate_fn=dict(type='default_collate')), seed=0)
    for _ in range(2):
        batches = list(loader)
        inputs = torch.cat([batch['inputs'] for batch in batches])
        assert inputs.shape == (14, 3, 5, 6)
        names = [s.img_path for batch in batches for s in batch['data_samples']]
        good = {n for n in names if not n.endswith('d.bmp') or '.tar' in n}
        assert len(good) == 13 and len(names) == 14
    assert skip.read_text().count('d.bmp') == 1


def test_real_faces(real_data):
    """GIF of Yale, PGM of ORL: all of them decode, and the labelled subjects can be left out."""
    root = real_data / 'faces'
    dataset = build(str(root), test_mode=True)
    assert len(dataset) == len(list(root.rglob('*.gif'))) + len(list(root.rglob('*.pgm'))) == 564
    for i in range(0, 564, 40):
        assert dataset[i]['inputs'].float().std() > 5
    held_out = build(str(root), exclude=['orl/s1', 'yale/subject01.*'])
    left = paths(held_out, root)
    assert len(left) == 564 - 10 - len(list((root / 'yale').glob('subject01.*')))
    assert any(p.startswith('orl/s10/') for p in left)


def test_files_of_a_mac_are_no_images_and_no_tar_members(tmp_path):
    root = fill(tmp_path / 'photos')
    for name in ('._a.png', '__MACOSX/x/b.pgm', 'x/._b.pgm', '.trash/c.png'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'\0\5\26\7')
    assert len(build(str(root))) == len(NAMES)
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        tar.add(root, '.')
    members = build(str(tmp_path / 'a.tar'))
    assert len(members) == len(NAMES)
    assert {members[row]['inputs'].shape[0] for row in range(len(NAMES))} == {3}


def test_lists_with_the_mark_of_an_editor(tmp_path):
    """A BOM is no part of the first name, in the list of images and in the one to leave out."""
    root = fill(tmp_path / 'photos')
    for name, line in (('all.txt', 'a.png\r\nx/b.pgm\r\n'), ('out.txt', 'a.png\r\n')):
        (tmp_path / name).write_bytes(b'\xef\xbb\xbf' + line.encode())
    data = build(str(root), ann_file=str(tmp_path / 'all.txt'))
    assert [data.get_data_info(row)['img_path'] for row in range(2)] == [
        str(root / 'a.png'), str(root / 'x/b.pgm')]
    assert data[0]['inputs'].shape == (3, 5, 6)
    rest = build(str(root), exclude=str(tmp_path / 'out.txt'))
    assert len(rest) == len(NAMES) - 1


@pytest.mark.parametrize('fill_with', [fill, fill_shards])
def test_a_store_behind_an_address(tmp_path, fill_with, monkeypatch):
    """A folder there, of images or of shards, and by name: the same pictures as from the disk."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    fill_with(tmp_path / 'disk')
    system = fsspec.filesystem('memory')
    for path in (tmp_path / 'disk').rglob('*.*'):
        system.pipe(f'/bucket/faces/{path.relative_to(tmp_path / "disk")}', path.read_bytes())
    data = build('memory://bucket/faces')
    assert colours(data) == list(range(7))
    assert [data.get_data_info(i)['img_path'].removeprefix('memory://bucket/faces/')
            for i in range(7)] == paths(build(str(tmp_path / 'disk')), tmp_path / 'disk')
    if fill_with is fill_shards:
        assert colours(build('memory://bucket/faces/{00..01}.tar')) == list(range(7))
        assert colours(build('memory://bucket/faces', exclude='00.tar')) == [3, 4, 5, 6]
    system.store.clear()
