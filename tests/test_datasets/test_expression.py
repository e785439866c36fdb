# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RAF-DB and AffectNet from folders built as the releases lay them out."""

import numpy as np
import pytest
from mmpretrain.registry import DATASETS
from PIL import Image

import fmae_iat_plugin.datasets  # noqa: F401

RAF_LINES = ['train_00002.jpg 7', 'train_00001.jpg 5', 'test_0001.jpg 1', 'train_00003.jpg 1']


def build(kind, root, **kwargs):
    return DATASETS.build(dict(type=kind, data_root=str(root), **kwargs))


def items(dataset):
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [(info['img_path'].replace('\\', '/').split('/')[-1], info['gt_label'])
            for info in infos]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (4, 4)).save(path)


# ---------------------------------------------------------------- RAF-DB


@pytest.fixture
def raf(tmp_path):
    labels = tmp_path / 'basic/EmoLabel/list_patition_label.txt'
    labels.parent.mkdir(parents=True)
    labels.write_text('\n'.join(RAF_LINES) + '\n')
    for line in RAF_LINES:
        stem = line.split('.')[0]
        touch(tmp_path / f'basic/Image/aligned/{stem}_aligned.jpg')
        touch(tmp_path / f'basic/Image/original/{stem}.jpg')
    return tmp_path


def test_rafdb_splits_and_labels(raf):
    train = build('RAFDB', raf)
    assert items(train) == [('train_00002_aligned.jpg', 6), ('train_00001_aligned.jpg', 4),
                            ('train_00003_aligned.jpg', 0)]
    assert [train.CLASSES[label] for _, label in items(train)] == ['neutral', 'sadness',
                                                                   'surprise']
    assert items(build('RAFDB', raf, split='test')) == [('test_0001_aligned.jpg', 0)]
    assert items(build('RAFDB', raf / 'basic')) == items(train)
    original = build('RAFDB', raf, aligned=False)
    assert items(original)[0] == ('train_00002.jpg', 6)
    assert '/original/' in original.get_data_info(0)['img_path']


def test_rafdb_runs_a_pipeline(raf):
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    sample = build('RAFDB', raf, pipeline=pipeline)[1]
    assert sample['inputs'].shape == (3, 4, 4)
    assert int(sample['data_samples'].gt_label) == 4


def test_rafdb_relative_root(raf, monkeypatch):
    monkeypatch.chdir(raf.parent)
    assert len(build('RAFDB', raf.name)) == 3


@pytest.mark.parametrize('line', ['train_00009.jpg 8', 'train_00009.jpg 0', 'train_00009.jpg',
                                  'train_00009.jpg happy', 'valid_00009.jpg 3',
                                  'train_00009.jpg 3 4', 'train_00009 3'])
def test_rafdb_bad_line(raf, line):
    with open(raf / 'basic/EmoLabel/list_patition_label.txt', 'a') as file:
        file.write(f'{line}\n')
    with pytest.raises(ValueError, match=rf"list_patition_label.txt, line 5.*'{line}'.*1\.\.7"):
        build('RAFDB', raf)


def test_rafdb_duplicate_line(raf):
    with open(raf / 'basic/EmoLabel/list_patition_label.txt', 'a') as file:
        file.write('\ntrain_00001.jpg 5\n')
    with pytest.raises(ValueError, match='line 6: train_00001.jpg was already given on line 2'):
        build('RAFDB', raf)


def test_rafdb_missing_images(raf, tmp_path):
    image = raf / 'basic/Image/aligned/train_00001_aligned.jpg'
    image.unlink()
    with pytest.raises(FileNotFoundError, match=r"txt, line 2: .*00001_aligned.*missing='skip'"):
        build('RAFDB', raf)
    listing = tmp_path / 'lists/skipped.txt'
    dataset = build('RAFDB', raf, missing='skip', skip_file=str(listing))
    assert len(dataset) == 2
    assert listing.read_text() == f'{image}\tmissing image\n'


def test_rafdb_missing_files(raf):
    with pytest.raises(FileNotFoundError, match='label file .*data_root must be'):
        build('RAFDB', raf / 'nothing')
    with pytest.raises(ValueError, match=r"split='val' is not one of \('train', 'test'\)"):
        build('RAFDB', raf, split='val')
    (raf / 'basic/Image/aligned').rename(raf / 'basic/Image/other')
    with pytest.raises(FileNotFoundError, match='image folder .*aligned does not exist'):
        build('RAFDB', raf)


def test_rafdb_empty_split(raf):
    (raf / 'basic/EmoLabel/list_patition_label.txt').write_text('train_00001.jpg 5\n')
    with pytest.raises(ValueError, match="no image of split 'test'"):
        build('RAFDB', raf, split='test')


# ---------------------------------------------------------------- AffectNet


def affectnet_release(root, codes, split='train_set', text=True):
    for i, code in enumerate(codes):
        touch(root / split / 'images' / f'{i}.jpg')
        (root / split / 'annotations').mkdir(exist_ok=True)
        np.save(root / split / 'annotations' / f'{i}_exp.npy', str(code) if text else code)
        np.save(root / split / 'annotations' / f'{i}_val.npy', '0.5')
    return root


@pytest.mark.parametrize('text', [True, False])
def test_affectnet_annotations(tmp_path, text):
    """The release stores the code as a string; others stored a number."""
    root = affectnet_release(tmp_path, [3, 0, 7], text=text)
    dataset = build('AffectNet', root)
    assert items(dataset) == [('0.jpg', 3), ('1.jpg', 0), ('2.jpg', 7)]
    assert [dataset.CLASSES[label] for _, label in items(dataset)] == ['surprise', 'neutral',
                                                                       'contempt']


def test_affectnet_codes_beyond_the_classes(tmp_path):
    root = affectnet_release(tmp_path, [1, 8, 9, 7, 10])
    (root / 'train_set/images/4.jpg').unlink()  # nobody needs it
    touch(root / 'train_set/images/x.jpg')
    listing = tmp_path / 'skipped.txt'
    dataset = build('AffectNet', root, num_classes=7, skip_file=str(listing))
    assert items(dataset) == [('0.jpg', 1)]
    assert len(dataset.CLASSES) == 7 and 'contempt' not in dataset.CLASSES
    lines = [line.split('\t') for line in listing.read_text().splitlines()]
    assert [(path.split('/')[-1], reason) for path, reason in lines] == [
        ('1.jpg', 'label 8 (none)'), ('2.jpg', 'label 9 (uncertain)'),
        ('3.jpg', 'label 7 (contempt)'), ('4.jpg', 'label 10 (non-face)'),
        ('x.jpg', 'no annotation')]
    assert items(build('AffectNet', root)) == [('0.jpg', 1), ('3.jpg', 7)]


@pytest.mark.parametrize('name', ['train_class', 'train_set', 'train'])
def test_affectnet_class_folders(tmp_path, name):
    for code in range(9):
        touch(tmp_path / name / str(code) / f'a{code}.jpg')
    touch(tmp_path / name / '2/b.png')
    for other in ('notes.txt', 'Thumbs.db', '._b.png'):  # the system's are not listed
        (tmp_path / name / '2' / other).write_text('')
    listing = tmp_path / 'skipped.txt'
    dataset = build('AffectNet', tmp_path, skip_file=str(listing))
    want = [(f'a{c}.jpg', c) for c in range(8)]
    want.insert(3, ('b.png', 2))
    assert items(dataset) == want
    reasons = sorted(line.split('\t')[1] for line in listing.read_text().splitlines())
    assert reasons == ['label 8 (none)', 'not an image file']


def test_affectnet_layout_choice(tmp_path):
    """Both on disk: the annotations, unless the folders are asked for."""
    affectnet_release(tmp_path, [3])
    for code in range(8):
        touch(tmp_path / f'train_class/{code}/c{code}.jpg')
    assert items(build('AffectNet', tmp_path)) == [('0.jpg', 3)]
    assert len(build('AffectNet', tmp_path, layout='folders')) == 8
    affectnet_release(tmp_path, [5, 6], 'val_set')
    for split in ('val', 'test'):  # the test set itself was never released
        assert items(build('AffectNet', tmp_path, split=split)) == [('0.jpg', 5), ('1.jpg', 6)]


def test_affectnet_missing_class_folder(tmp_path):
    for code in (0, 1, 2, 3, 4, 6, 7):
        touch(tmp_path / f'train_class/{code}/c.jpg')
    with pytest.raises(FileNotFoundError, match=r'no class folders \[5\]'):
        build('AffectNet', tmp_path)


@pytest.mark.parametrize('value', ['11', '-1', 'happy', 2.5, [1, 2]])
def test_affectnet_bad_code(tmp_path, value):
    root = affectnet_release(tmp_path, [3, 0])
    np.save(root / 'train_set/annotations/1_exp.npy', value)
    with pytest.raises(ValueError, match=r'1_exp.npy: expected an expression label 0\.\.10, '):
        build('AffectNet', root)


def test_affectnet_broken_npy(tmp_path):
    root = affectnet_release(tmp_path, [3, 0])
    (root / 'train_set/annotations/1_exp.npy').write_bytes(b'')
    with pytest.raises(ValueError, match=r'1_exp.npy: expected an expression label'):
        build('AffectNet', root)
    np.save(root / 'train_set/annotations/1_exp.npy', np.array({}), allow_pickle=True)
    with pytest.raises(ValueError, match=r'1_exp.npy: expected an expression label'):
        build('AffectNet', root)


def test_affectnet_missing_image(tmp_path):
    root = affectnet_release(tmp_path, [3, 0])
    (root / 'train_set/images/1.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r"1_exp.npy: .*1.jpg.*missing='skip'"):
        build('AffectNet', root)
    assert items(build('AffectNet', root, missing='skip')) == [('0.jpg', 3)]


@pytest.mark.parametrize('kwargs, message', [
    (dict(num_classes=6), 'num_classes=6 is not one of'),
    (dict(split='valid'), "split='valid' is not one of"),
    (dict(layout='csv'), "layout='csv' is not one of"),
    (dict(missing='ignore'), "missing='ignore' is not one of"),
    (dict(), 'no AffectNet train set .*train_set.*check data_root'),
])
def test_affectnet_bad_arguments(tmp_path, kwargs, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        build('AffectNet', tmp_path, **kwargs)
