# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""WIDER FACE to COCO json: equal to a reading by tokens, and every planted defect is named."""

import csv
import json
import runpy
import sys

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.converters import ConversionError
from fmae_iat_plugin.converters.widerface import ATTRIBUTES, convert_widerface, read_faces

ANNOTATIONS = 'wider_face_split/wider_face_{}_bbx_gt.txt'


def tokens_of(text):
    """Image -> list of ten numbers, by counting tokens; a count of 0 takes a line of zeros."""
    tokens, faces = iter(text.split()), {}
    for name in tokens:
        number = int(next(tokens))
        rows = [[int(next(tokens)) for _ in range(10)] for _ in range(max(number, 1))]
        faces[name] = rows[:number]
    return faces


@pytest.fixture
def release(tmp_path):
    """A release of random boxes: some without an area, outside, invalid; images without faces."""
    generator = np.random.default_rng(0)
    root, sizes = tmp_path / 'release', {}
    for split, number in (('train', 12), ('val', 5)):
        lines = []
        for index in range(number):
            name = f'{index % 3}--Event {index % 3}/{split}_{index}.jpg'.replace(' ', '_')
            width, height = map(int, generator.integers(30, 60, 2))
            path = root / f'WIDER_{split}/images' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', (width, height)).save(path)
            sizes[split, name] = (width, height)
            count = int(generator.integers(0, 6))
            lines += [name, str(count)]
            for _ in range(count):
                box = [*generator.integers(-20, 70, 2), *generator.integers(0, 4, 2) * 9]
                attributes = [*generator.integers(0, 3, 3), generator.integers(0, 2),
                              *generator.integers(0, 3, 2)]
                lines.append(' '.join(map(str, box + attributes)) + ' ')
            if not count:
                lines.append('0 ' * 10)
        file = root / ANNOTATIONS.format(split)
        file.parent.mkdir(exist_ok=True)
        file.write_text('\n'.join(lines) + '\n')
    return root, sizes


def skipped_rows(out):
    with open(out / 'skipped.csv', newline='') as file:
        return list(csv.DictReader(file))


def test_equals_a_reading_by_tokens(release, tmp_path):
    root, sizes = release
    out = tmp_path / 'out'
    summary = convert_widerface(str(root), str(out))
    listed = skipped_rows(out)
    for split in ('train', 'val'):
        file = root / ANNOTATIONS.format(split)
        truth, lines = tokens_of(file.read_text()), file.read_text().splitlines()
        coco = json.loads((out / f'{split}.json').read_text())
        assert coco['categories'] == [{'id': 1, 'name': 'face'}]
        assert [image['file_name'] for image in coco['images']] == list(truth)
        assert [face['id'] for face in coco['annotations']] == list(
            range(1, 1 + len(coco['annotations'])))
        left_out, ignored = [], 0
        for image in coco['images']:
            name, width, height = image['file_name'], image['width'], image['height']
            assert (width, height) == sizes[split, name]
            assert (out / 'images' / split / name).read_bytes() == (
                root / f'WIDER_{split}/images' / name).read_bytes()
            canvas = np.zeros((200, 200), bool)  # the image's pixels, moved by 60 in x and y
            canvas[60:60 + height, 60:60 + width] = True
            kept = []
            for row in truth[name]:
                x, y, w, h = row[0] + 60, row[1] + 60, row[2], row[3]
                (kept if canvas[y:y + h, x:x + w].any() else left_out).append(row)
            found = [face for face in coco['annotations'] if face['image_id'] == image['id']]
            assert [[*face['bbox'], *(face[key] for key in ATTRIBUTES)] for face in found] == kept
            assert [face['iscrowd'] for face in found] == [row[7] for row in kept]
            assert all(face['area'] == row[2] * row[3] for face, row in zip(found, kept))
            assert all(face['category_id'] == 1 for face in found)
            ignored += sum(row[7] for row in kept)
        rows = [row for row in listed if row['file'] == str(file)]
        assert [list(map(int, lines[int(row['line']) - 1].split())) for row in rows] == left_out
        assert all(row['reason'] == ('box without an area' if 0 in face[2:4] else
                                     'box outside the image') for row, face in zip(rows, left_out))
        assert summary[split]['faces'] + ignored == len(coco['annotations'])
        assert summary[split]['ignored'] == ignored > 0
        assert sum(summary[split]['skipped'].values()) == len(left_out) > 0
        empty = {image['id'] for image in coco['images']} - {
            face['image_id'] for face in coco['annotations']}
        assert summary[split]['images_without_face'] == len(empty)
    assert len(listed) == sum(sum(s['skipped'].values()) for s in summary.values())
    assert json.loads((out / 'summary.json').read_text()) == summary


def test_missing_and_unreadable_images_are_listed(release, tmp_path):
    root, out = release[0], tmp_path / 'out'
    images = sorted((root / 'WIDER_val/images').rglob('*.jpg'))
    images[0].unlink()
    images[1].write_bytes(b'no image')
    summary = convert_widerface(str(root), str(out), 'copy')
    assert summary['val']['images'] == 3 == len(list((out / 'images/val').rglob('*.jpg')))
    rows = {row['reason']: row for row in skipped_rows(out)}
    file = root / ANNOTATIONS.format('val')
    missing = rows['missing image']
    assert missing['file'] == str(file)
    assert images[0].match(file.read_text().splitlines()[int(missing['line']) - 1])
    assert rows['unreadable image']['file'] == str(images[1])
    for path in images:
        path.unlink(missing_ok=True)
    with pytest.raises(ConversionError, match='none of the images'):
        convert_widerface(str(root), str(out))
    (root / ANNOTATIONS.format('val')).unlink()
    with pytest.raises(ConversionError, match='val_bbx_gt.txt does not exist'):
        convert_widerface(str(root), str(out))


def test_an_image_without_faces_with_and_without_the_line_of_zeros(tmp_path):
    file = tmp_path / 'list.txt'
    file.write_text(f'a/1.jpg\r\n0\r\n{"0 " * 10}\r\na/2.jpg\r\n0\r\na/3.jpg\r\n1\r\n'
                    '1 2 3 4 0 0 0 0 0 0 \r\n')
    images = read_faces(file)
    assert [(image.name, image.line, len(image.faces)) for image in images] == [
        ('a/1.jpg', 1, 0), ('a/2.jpg', 4, 0), ('a/3.jpg', 6, 1)]
    assert images[2].faces[0].box == (1, 2, 3, 4) and images[2].faces[0].line == 8


FACE = '1 2 3 4 0 0 0 0 0 0'


@pytest.mark.parametrize('lines,line,words', [
    (['a/1.jpg', '2', FACE], 4, 'the end of the file instead of the ten.*face 2 of 2 of a/1.jpg'),
    (['a/1.jpg', '2', FACE, 'a/2.jpg', '1', FACE], 4, "'a/2.jpg' instead of the ten.*face 2 of 2"),
    (['a/1.jpg', '1', FACE, FACE], 4, 'more face lines than the number above'),
    (['a/1.jpg', '1', '1 2 3 4 0 0 0 0 0'], 3, 'the ten whole numbers'),
    (['a/1.jpg', '1', FACE + ' 0'], 3, 'the ten whole numbers'),
    (['a/1.jpg', '1', FACE.replace('3', '3.5')], 3, 'the ten whole numbers'),
    (['a/1.jpg', '1', '1 2 3 4 0 0 0 2 0 0'], 3, '`invalid`'),
    (['a/1.jpg', 'x', FACE], 2, "'x' instead of the number of faces of a/1.jpg"),
    (['a/1.jpg'], 2, 'the end of the file instead of the number of faces'),
    (['a/1.jpg', '0', FACE], 3, 'a line of zeros: a/1.jpg has 0 faces'),
    (['a/1.jpg', '1', FACE, 'a/1.jpg', '1', FACE], 4, 'stands in line 1 already'),
    (['../1.jpg', '1', FACE], 1, 'the path of an image'), (['/a/1.jpg', '1', FACE], 1, 'the path'),
    ([''], 1, 'the end of the file instead of the path')])
def test_a_damaged_file_is_an_error_that_names_the_line(tmp_path, lines, line, words):
    file = tmp_path / 'list.txt'
    file.write_text('\n'.join(lines) + '\n')
    with pytest.raises(ConversionError, match=f'list.txt, line {line}: .*{words}'):
        read_faces(file)


def test_the_command(release, repo, tmp_path, monkeypatch, capsys):
    tool, out = repo / 'tools/dataset_converters/widerface.py', tmp_path / 'out'
    monkeypatch.setattr(sys, 'argv', [tool.name, str(release[0]), str(out), '--place', 'symlink'])
    runpy.run_path(str(tool), run_name='__main__')
    summary = json.loads((out / 'summary.json').read_text())
    printed = capsys.readouterr().out
    assert f'train: 12 images (published: 12880), {summary["train"]["faces"]} faces' in printed
    assert 'val: 5 images (published: 3226)' in printed
    assert all(path.is_symlink() for path in (out / 'images').rglob('*.jpg'))
    monkeypatch.setattr(sys, 'argv', [tool.name, str(tmp_path), str(out)])
    with pytest.raises(SystemExit, match='error: .*does not exist. Remedy'):
        runpy.run_path(str(tool), run_name='__main__')
