# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A whole collection: every file is accounted for, rules beyond the paper, and refusals."""

import csv
import hashlib
import io
import os
import tarfile
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.curation.pipeline import curate
from fmae_iat_plugin.curation.structures import CurationError, Options, Source

SMALL = Options(size=32, shard_images=4)


def content(folder):
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in folder.rglob('*') if path.is_file()}


def shards(out):
    """Name -> bytes of all images, in the order of the shards."""
    found = {}
    for path in sorted((out / 'shards').glob('*.tar')):
        with tarfile.open(path, 'r:') as tar:
            found.update({member.name: tar.extractfile(member).read() for member in tar})
    return found


def rejects(out):
    with open(out / 'rejects.csv', encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def curated(collection, tmp_path_factory):
    out, before = tmp_path_factory.mktemp('curated') / 'out', content(collection.root)
    manifest = curate([Source(name, str(collection.root / name)) for name in collection.sources],
                      out, SMALL)
    assert content(collection.root) == before  # bytes and times
    return out, manifest


def wanted_name(place, people):
    """Name in the shard, and of the member in the list of rejects, by the emulation."""
    member = place.member
    if place.source == 'casia':
        member = f'{people[place]:07d}/{int(member):09d}'
    elif place.source == 'msceleb':
        member = f'm.{people[place]:04x}/{int(member):09d}'
    stem, dot, suffix = member.rpartition('.')
    if suffix.lower() in ('jpg', 'png', 'gif', 'bmp'):
        key = stem if suffix.lower() == 'jpg' else f'{stem}_{suffix}'
    else:
        key = member.replace('m.', 'm.')
    label = place.archive.removesuffix('.gz').rpartition('.')[0]
    return '/'.join(filter(None, (place.source, label, f'{key}.jpg'))), '/'.join(
        filter(None, (place.archive, member)))


def test_every_image_is_in_a_shard_or_in_the_list(collection, curated, rule):
    out, _ = curated
    order, people = Counter(), {}
    for place in collection.placed:
        people[place] = order[place.source] // 2
        order[place.source] += 1
    kept, left_out = [], {}
    for place in collection.placed:
        inside, member = wanted_name(place, people)
        if rule(collection.made[place.number]):
            left_out[place.source, member] = rule(collection.made[place.number])
        else:
            kept.append(inside)
    assert list(shards(out)) == kept
    listed = {(row['source'], row['member']): row['rule'] for row in rejects(out)
              if row['rule'] != 'not an image'}
    assert listed == left_out and set(left_out.values()) == {'unreadable', 'aspect ratio'}


def test_kept_and_rejected_make_up_all_files(collection, curated):
    """Files and members are counted here with the libraries themselves."""
    import gzip
    import zipfile
    out, manifest = curated
    numbers = Counter()
    for path in (p for p in collection.root.rglob('*') if p.is_file()):
        source = path.relative_to(collection.root).parts[0]
        if path.suffix == '.zip':
            numbers[source] += len(zipfile.ZipFile(path).namelist())
        elif path.suffix in ('.tar', '.gz', '.tgz'):
            data = path.read_bytes()
            data = data if path.suffix == '.tar' else gzip.decompress(data)
            numbers[source] += sum(m.isfile() for m in tarfile.open(fileobj=io.BytesIO(data)))
        elif path.suffix == '.tsv':
            numbers[source] += path.read_bytes().count(b'\n')
        elif path.suffix == '.rec':
            numbers[source] += path.with_suffix('.idx').read_bytes().count(b'\n')
        else:
            numbers[source] += 1
    listed, kept = Counter(), Counter(name.split('/')[0] for name in shards(out))
    for row in rejects(out):
        listed[row['source']] += int(row['number'])
    for name, source in manifest['sources'].items():
        assert source['found'] == numbers[name] == kept[name] + listed[name]
        assert source['kept'] == kept[name]
        assert sum(source['rejected'].values()) == listed[name]
    assert manifest['found'] == sum(numbers.values()) and manifest['kept'] == sum(kept.values())


def test_the_images_are_those_of_the_sources(collection, curated):
    """In the order of the emulation; against Pillow's own decode and resize."""
    readable = [collection.made[place.number] for place in collection.placed
                if (m := collection.made[place.number]).size and max(m.size) <= 1.5 * min(m.size)]
    found = list(shards(curated[0]).values())
    assert len(found) == len(readable)
    for made, data in zip(readable, found):
        image = Image.open(io.BytesIO(data))
        assert (image.size, image.format) == ((32, 32), 'JPEG')
        original = Image.open(io.BytesIO(made.data))
        if made.mode == 'RGB' and not original.getexif():
            wanted = original.resize((32, 32), Image.Resampling.BICUBIC)
            grey, other = (np.asarray(i.convert('L'), float) for i in (image, wanted))
            assert np.abs(grey - other).mean() < 6


def test_the_manifest_describes_the_files(curated):
    out, manifest = curated
    assert sorted(p.name for p in out.iterdir()) == [
        'contact_sheet.jpg', 'curation.json', 'manifest.json', 'rejects.csv', 'shards']
    files = sorted((out / 'shards').glob('*.tar'))
    assert [shard['file'] for shard in manifest['shards']] == [f'shards/{p.name}' for p in files]
    for shard, path in zip(manifest['shards'], files):
        data = path.read_bytes()
        assert (shard['sha256'], shard['bytes']) == (hashlib.sha256(data).hexdigest(), len(data))
        assert shard['images'] == len(tarfile.open(path).getnames()) <= 4
    listed = hashlib.sha256((out / 'rejects.csv').read_bytes()).hexdigest()
    assert manifest['rejects'] == dict(file='rejects.csv', sha256=listed)
    assert manifest['options']['max_aspect'] == 1.5 and 'opencv' in manifest['versions']


def test_the_contact_sheet_has_a_row_for_each_source_and_rule(collection, curated):
    sheet = Image.open(curated[0] / 'contact_sheet.jpg')
    assert sheet.height == (len(collection.sources) + 1) * 134  # and one of wide images
    first = np.asarray(sheet)[20:132, :112]
    assert first.std() > 10


def test_a_second_run_does_nothing_and_other_options_are_refused(collection, curated):
    out, manifest = curated
    before = content(out)
    sources = [Source(name, str(collection.root / name)) for name in collection.sources]
    assert curate(sources, out, SMALL) == manifest and content(out) == before
    with pytest.raises(CurationError, match='quality: 90 there, 80 asked for'):
        curate(sources, out, SMALL._replace(quality=80))
    with pytest.raises(CurationError, match='made with other settings.*sources'):
        curate(sources[1:], out, SMALL)


@pytest.fixture
def saved_again(tmp_path, picture, jpeg):
    """Two sources: pictures 0-5, then 3-8, of which 3-5 are smaller and compressed once more."""
    for name, seeds, side in (('one', range(6), 96), ('two', range(3, 9), 80)):
        (tmp_path / name).mkdir()
        for seed in seeds:
            (tmp_path / name / f'{seed}.jpg').write_bytes(
                jpeg(picture(seed, 96, 96).resize((side, side)), 92 if side == 96 else 75))
    return [Source(name, str(tmp_path / name)) for name in ('one', 'two')]


def names(out):
    return [name.removesuffix('.jpg') for name in shards(out)]


def test_near_duplicates_across_sources(tmp_path, saved_again):
    manifest = curate(saved_again, tmp_path / 'out', SMALL._replace(size=64, duplicates=True))
    assert names(tmp_path / 'out') == [*(f'one/{k}' for k in range(6)), 'two/6', 'two/7', 'two/8']
    rows = rejects(tmp_path / 'out')
    assert [(r['member'], r['rule']) for r in rows] == [
        (f'{k}.jpg', 'near-duplicate') for k in (3, 4, 5)]
    assert all(f'bits from one/{k}.jpg' in r['detail'] for k, r in zip((3, 4, 5), rows))
    for shard in manifest['shards']:  # those that were copied, too
        data = (tmp_path / 'out' / shard['file']).read_bytes()
        assert shard['sha256'] == hashlib.sha256(data).hexdigest()
        assert shard['images'] == len(tarfile.open(fileobj=io.BytesIO(data)).getnames())
    curate(saved_again[::-1], tmp_path / 'back', SMALL._replace(size=64, duplicates=True))
    assert names(tmp_path / 'back') == [*(f'two/{k}' for k in range(3, 9)), 'one/0', 'one/1',
                                        'one/2']


def test_near_duplicates_of_a_test_set(tmp_path, saved_again):
    one, two = saved_again
    options = SMALL._replace(size=64, test_sets=(two.path, ))
    manifest = curate([one], tmp_path / 'out', options)
    assert names(tmp_path / 'out') == ['one/0', 'one/1', 'one/2']
    assert {r['rule'] for r in rejects(tmp_path / 'out')} == {'near-duplicate of the test set'}
    assert manifest['test_sets']['found'] == 6 and 'two' not in manifest['sources']
    assert manifest['sources']['one']['rejected'] == {'near-duplicate of the test set': 3}


def test_images_without_a_face(tmp_path, saved_again):
    """A detector that sees faces in pictures with a bright middle, in the place of a real one."""
    class Bright:
        def build(self):
            return lambda images: [SimpleNamespace(boxes=np.zeros((int(
                image[12:20, 12:20].mean() > 133), 4))) for image in images]

        def record(self):
            return dict(detector='bright')

    curate([saved_again[0]], tmp_path / 'out', SMALL._replace(detector=Bright()))
    middles = [np.asarray(Image.open(f'{saved_again[0].path}/{k}.jpg'))[36:60, 36:60].mean()
               for k in range(6)]
    assert min(abs(middle - 133) for middle in middles) > 3
    bright = [k for k, middle in enumerate(middles) if middle > 133]
    assert names(tmp_path / 'out') == [f'one/{k}' for k in bright] and 0 < len(bright) < 6
    assert {r['rule'] for r in rejects(tmp_path / 'out')} == {'no face found'}


def test_a_damaged_archive_is_listed_and_the_rest_goes_on(tmp_path, saved_again):
    (tmp_path / 'one' / 'broken.zip').write_bytes(b'PK no archive')
    (tmp_path / 'one' / 'broken.tgz').write_bytes(b'\x1f\x8b no archive')
    curate(saved_again, tmp_path / 'out', SMALL)
    assert len(names(tmp_path / 'out')) == 12
    assert [(r['member'], r['rule']) for r in rejects(tmp_path / 'out')] == [
        ('broken.tgz', 'unreadable'), ('broken.zip', 'unreadable')]


def test_an_archive_that_changes_on_the_way_is_named(tmp_path, saved_again, picture, jpeg,
                                                     monkeypatch):
    from fmae_iat_plugin.curation import pipeline
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        tar.add(tmp_path / 'one' / '0.jpg', 'a.jpg')
    monkeypatch.setattr(pipeline, 'work_on', lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        curate([Source('a', str(tmp_path / 'a.tar'))], tmp_path / 'out', SMALL)
    os.utime(tmp_path / 'a.tar', ns=(1, 1))
    monkeypatch.undo()
    with pytest.raises(CurationError, match='a.tar has changed since'):
        curate([Source('a', str(tmp_path / 'a.tar'))], tmp_path / 'out', SMALL)


@pytest.mark.parametrize('sources, message', [
    ([], 'there is no source'), ([('a b', '.')], "named 'a b'"),
    ([('a', 'none')], 'none .* does not exist'), ([('a', 'one/list.txt')], 'neither a folder nor'),
    ([('a', '.')], 'lies in the source'), ([('a', 'one'), ('b', 'one')], 'overlap'),
    ([('a', 'empty')], 'no image is left of 0 files')])
def test_sources_that_cannot_be_used(tmp_path, saved_again, sources, message):
    (tmp_path / 'one' / 'list.txt').write_text('no image\n')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(CurationError, match=message):
        curate([Source(name, str(tmp_path / path)) for name, path in sources], tmp_path / 'out',
               SMALL)


@pytest.mark.parametrize('options', [dict(size=4), dict(quality=101), dict(max_aspect=.9),
                                     dict(shard_images=0), dict(distance=32), dict(min_side=0)])
def test_options_out_of_range(tmp_path, options):
    (name, value), = options.items()
    with pytest.raises(CurationError, match=f'{name} is {value}'):
        curate([Source('a', str(tmp_path))], tmp_path / 'out', Options(**options))
