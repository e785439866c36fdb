# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Emulated Face9M: the manifest is right about every file, and our data set reads what it says."""

import hashlib
import io
import tarfile

import pytest
from mmpretrain.registry import DATASETS
from PIL import Image

from fmae_iat_plugin.datasets import UnreadableImageError, read_annotation
from fmae_iat_plugin.synthfacs.releases import write_face9m
from fmae_iat_plugin.synthfacs.releases.face9m_kinds import ODD

pytestmark = pytest.mark.slow

SMALL = dict(subjects=4, frames=10, size=32, workers=1)
SHARD = 'shards/00000.tar'


@pytest.fixture(scope='module')
def release(tmp_path_factory):
    out = tmp_path_factory.mktemp('face9m')
    write_face9m(out, **SMALL)
    return out


@pytest.fixture(scope='module')
def contents(release):
    """Path -> bytes of all files and members, found without the manifest."""
    found = {p.relative_to(release).as_posix(): p.read_bytes()
             for p in (release / 'images').rglob('*') if p.is_file()}
    with tarfile.open(release / SHARD) as tar:
        found.update({f'{SHARD}/{m.name}': tar.extractfile(m).read() for m in tar})
    return found


@pytest.fixture(scope='module')
def manifest(release, read_csv):
    return read_csv(release / 'manifest.csv')


def test_manifest_lists_every_file_as_it_is(manifest, contents):
    assert [r['path'] for r in manifest] == sorted(contents) and len(contents) == 40
    for row in manifest:
        data = contents[row['path']]
        assert (int(row['bytes']), row['sha256']) == (len(data), hashlib.sha256(data).hexdigest())
        try:
            image = Image.open(io.BytesIO(data))
            image.load()
        except OSError:
            assert (row['readable'], row['kept'], row['width']) == ('0', '0', '')
            continue
        assert row['readable'] == '1' and row['format'] == image.format
        assert (int(row['width']), int(row['height'])) == image.size and row['mode'] == image.mode
        aspect = max(image.size) / min(image.size)
        assert row['kept'] == str(int(aspect <= 1.5))
        assert float(row['aspect']) == pytest.approx(aspect, abs=1e-4)


def test_every_kind_is_there_in_folders_and_shard(manifest):
    assert {r['kind'] for r in manifest} == {*ODD, 'jpeg', 'png'}
    assert {r['source'] for r in manifest} == {'celeba', 'ffhq', 'vggface2', 'shard'}
    assert {r['kept'] for r in manifest} == {'0', '1'}


def test_duplicates_point_at_their_originals(manifest, contents):
    rows = [r for r in manifest if r['duplicate']]
    assert {r['duplicate'] for r in rows} == {'exact', 'near'}
    for row in rows:
        same = contents[row['path']] == contents[row['duplicate_of']]
        assert same == (row['duplicate'] == 'exact')
    originals = {r['sha256'] for r in manifest if r['duplicate'] != 'exact'}
    assert len(originals) == len(manifest) - sum(r['duplicate'] == 'exact' for r in rows)


def test_our_data_set_reads_exactly_the_readable_ones(release, manifest, tmp_path):
    data = DATASETS.build(dict(
        type='Face9M', data_root=[str(release / 'images'), str(release / SHARD)], test_mode=True,
        index_dir=str(tmp_path), pipeline=[dict(type='LoadFace'), dict(type='PackInputs')]))
    assert len(data) == len(manifest)
    good = set()
    for k in range(len(data)):
        info = data.get_data_info(k)
        path = info['img_path'].replace('\\', '/')
        inner = path[path.index('images/' if '/images/' in path else 'shards/'):]
        try:
            data[k]
        except UnreadableImageError:
            continue
        good.add(inner)
    assert good == {r['path'] for r in manifest if r['readable'] == '1'}


def test_truth_has_the_readable_ones(release, manifest):
    table = read_annotation(release / 'truth.csv')
    assert table.images.tolist() == [r['path'] for r in manifest if r['readable'] == '1']
    assert table.labels.max() <= 5 and (table.labels > 0).any()


def test_same_bytes_again_and_after_an_interruption(release, tmp_path, tree):
    write_face9m(tmp_path, **{**SMALL, 'workers': 2})
    assert tree(tmp_path) == tree(release)
    for path in [*sorted((tmp_path / 'images').rglob('*.jpg'))[::2], tmp_path / SHARD,
                 tmp_path / 'truth.csv']:
        path.unlink()
    write_face9m(tmp_path, **SMALL)
    assert tree(tmp_path) == tree(release)


def test_too_few_images_for_all_kinds(tmp_path):
    with pytest.raises(ValueError, match='4 images .*choose at least 28'):
        write_face9m(tmp_path, **{**SMALL, 'subjects': 2, 'frames': 2})
