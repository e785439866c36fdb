# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The numbers on labelled photos are counted again, one pair, one photo, one bin at a time."""

import io
import json
import math

import cv2
import numpy as np
import pytest
from small_models import TINY_AUS, tiny_outputs

from fmae_iat_plugin.inference import default_model
from fmae_iat_plugin.inference.real_faces import (
    CORE,
    Predicted,
    compare,
    croppings,
    main,
    predict_photos,
    read_photos,
)


@pytest.fixture
def folder(tmp_path):
    """40 small pictures in colours, labelled at random and for a fifth not coded; AU9 is not the
    model's."""
    rng = np.random.default_rng(0)
    lines = ['image,subject,AU1,AU4,AU9,AU12']
    (tmp_path / 'images').mkdir()
    for number in range(40):
        image = np.full((48, 48, 3), rng.integers(0, 256, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'images/{number}.png'), image)
        cells = [rng.choice(['0', '1', '1', '']) for _ in range(4)]
        lines.append(f'images/{number}.png,P{number % 7},{",".join(cells)}')
    (tmp_path / 'labels.csv').write_text('\n'.join(lines) + '\n')
    return tmp_path


def f1(pairs):
    hits = sum(said and is_there for said, is_there in pairs)
    wrong = sum(said != is_there for said, is_there in pairs)
    return 100 * 2 * hits / (2 * hits + wrong)


def by_hand(pairs, threshold):
    """Numbers of one action unit from (probability, label) pairs."""
    positive, negative = ([p for p, y in pairs if y == side] for side in (1, 0))
    wins = sum(1. if p > n else .5 if p == n else 0. for p in positive for n in negative)
    gaps = []
    for bin_ in range(10):
        inside = [(p, y) for p, y in pairs if min(int(p * 10), 9) == bin_]
        if inside:
            share = sum(y for _, y in inside) / len(inside)
            mean = sum(p for p, _ in inside) / len(inside)
            gaps.append(len(inside) * abs(share - mean))
    return dict(auc=100 * wins / len(positive) / len(negative),
                f1=f1([(p >= .5, y == 1) for p, y in pairs]),
                f1_own=f1([(p >= threshold, y == 1) for p, y in pairs]),
                f1_all_present=f1([(True, y == 1) for _, y in pairs]),
                ece=sum(gaps) / len(pairs), positive=len(positive), negative=len(negative))


def test_every_number_is_that_of_the_definition(folder, tiny_onnx, capsys, monkeypatch):
    monkeypatch.setattr(default_model, 'PATH', tiny_onnx)
    out = folder / 'scores.json'
    monkeypatch.setattr('fmae_iat_plugin.inference.real_faces.croppings',
                        lambda *_: {'as is': ('--detector', 'none')})
    assert main(['--real', str(folder), '--out', str(out)]) == 0
    result = json.loads(out.read_text())
    table, paths = read_photos(folder)
    assert (result['photos'], result['subjects']) == (40, 7)
    assert result['model'].startswith('tiny: 3 action units')
    scores = tiny_outputs([cv2.imread(str(path)).transpose(2, 0, 1) for path in paths])
    found = result['croppings']['as is']
    assert found['missed'] == 0 and set(found['aus']) == {'AU12', 'AU1', 'AU4'}
    wanted = {}
    for k, (au, threshold) in enumerate(zip(TINY_AUS, (.4, .5, .6))):
        labels = table.labels[:, table.aus.index(au)]
        pairs = [(p, int(y)) for p, y in zip(scores[:, k], labels) if not math.isnan(y)]
        wanted[au] = by_hand(pairs, threshold)
        assert found['aus'][f'AU{au}'] == pytest.approx(wanted[au], abs=1e-3)
    for key in ('auc', 'f1', 'f1_own', 'f1_all_present', 'ece'):
        mean = np.mean([values[key] for values in wanted.values()])
        assert found['all'][key] == pytest.approx(mean, abs=1e-3)
        assert found['core'][key] == pytest.approx(mean, abs=1e-3)  # all three are among them
    said = capsys.readouterr().out
    assert 'tiny' in said and 'present everywhere' in said and '40 photos of 7 people' in said
    assert f'{wanted[12]["auc"]:.1f}' in said


def test_the_means_are_over_the_named_units_and_misses_are_counted_apart(folder):
    table, _ = read_photos(folder)
    rng = np.random.default_rng(1)
    scores = rng.random((40, 3))
    scores[[3, 8, 20]] = np.nan
    predicted = Predicted((9, 5, 1), scores, scores >= .5)  # 5 has no labels
    result = compare(predicted, table)
    assert 9 in CORE and 1 in CORE and set(result['aus']) == {'AU9', 'AU1'}
    assert (result['photos'], result['missed']) == (40, 3)
    rows, every = [], []
    for k, au in ((0, 9), (2, 1)):
        pairs = [(p, int(y)) for p, y in zip(scores[:, k], table.labels[:, table.aus.index(au)])
                 if not math.isnan(y)]
        rows.append(by_hand([(p, y) for p, y in pairs if not math.isnan(p)], .5))
        every.append(by_hand([(0. if math.isnan(p) else p, y) for p, y in pairs], .5))
        assert result['aus'][f'AU{au}'] == pytest.approx(rows[-1], abs=1e-6)
    for key in ('auc', 'f1', 'ece'):
        assert result['core'][key] == pytest.approx(np.mean([row[key] for row in rows]))
        assert result['all_missed_absent'][key] == pytest.approx(
            np.mean([row[key] for row in every]))


def test_intensities_are_compared_where_there_are_some(folder):
    """ICC(3,1) from the table of an analysis of variance."""
    rng = np.random.default_rng(2)
    coded = rng.integers(0, 6, (40, 4))
    lines = [f'images/{n}.png,P{n % 7},{",".join(map(str, row))}' for n, row in enumerate(coded)]
    (folder / 'labels.csv').write_text('\n'.join(['image,subject,AU1,AU4,AU9,AU12', *lines]))
    table, _ = read_photos(folder)
    scores = rng.random((40, 3))
    scores[5] = np.nan
    graded = np.clip(coded[:, [3, 0, 1]] + rng.normal(0, 1, (40, 3)), 0, 5)
    graded[5] = np.nan
    result = compare(Predicted((12, 1, 4), scores, scores >= .5, graded), table, 2.)
    seen = np.arange(40) != 5
    wanted = []
    for k, column in enumerate((3, 0, 1)):
        pair = np.stack([graded[seen, k], coded[seen, column]], axis=1)
        people = 2 * pair.mean(1).var(ddof=1)
        rest = pair - pair.mean(1, keepdims=True) - pair.mean(0) + pair.mean()
        error = (rest**2).sum() / (len(pair) - 1)
        wanted.append((people - error) / (people + error))
    assert [row['icc'] for row in result['aus'].values()] == pytest.approx(wanted)
    assert result['all']['icc'] == pytest.approx(np.mean(wanted)) and min(wanted) > .5
    from rich.console import Console

    from fmae_iat_plugin.inference.real_faces import tables
    console = Console(width=150, record=True, file=io.StringIO())
    for table in tables(dict(croppings={'as is': result})):
        console.print(table)
    said = console.export_text()
    assert 'ICC(3,1)' in said and all(f'{value:.3f}' in said for value in wanted)


def test_the_largest_face_counts_and_a_photo_without_one_is_missed(tiny_onnx, tmp_path):
    pytest.importorskip('dlib', reason="needs the extra 'face'")
    from fmae_iat_plugin.synthfacs.renderer import render
    face = render(3, {12: 3.}, size=256, framing='portrait')[0][..., ::-1]
    two = np.full((256, 512, 3), 128, dtype=np.uint8)
    two[:, :256] = face
    two[64:192, 320:448] = cv2.resize(np.ascontiguousarray(face), (128, 128)) // 2
    for name, image in (('one', face), ('two', two), ('none', np.full_like(face, 90))):
        cv2.imwrite(str(tmp_path / f'{name}.png'), image)
    paths = [tmp_path / f'{name}.png' for name in ('none', 'two', 'one')]
    found = predict_photos(paths, ['--model', str(tiny_onnx), *croppings()['dlib']])
    assert found.aus == TINY_AUS and found.found.tolist() == [False, True, True]
    np.testing.assert_allclose(found.scores[1], found.scores[2], atol=.02)  # not the dark one
    assert (found.present[1:] == (found.scores[1:] >= (.4, .5, .6))).all()


def test_ways_to_find_the_faces():
    assert list(croppings()) == ['as is', 'dlib']
    assert croppings('c.py', 'w.pth')['mmdet'] == ('--detector', 'c.py', '--detector-weights',
                                                   'w.pth')


@pytest.mark.parametrize('change,words', [
    (lambda folder: (folder / 'labels.csv').unlink(),
     'holds neither annotation.csv nor annotations.csv nor labels.csv'),
    (lambda folder: (folder / 'images/7.png').unlink(), '1 of 40 images'),
    (lambda folder: (folder / 'labels.csv').write_text('image,subject,AU9\nimages/1.png,A,1\n'),
     'none in common')])
def test_what_is_missing_is_one_line(folder, tiny_onnx, capsys, change, words):
    change(folder)
    assert main(['--real', str(folder), '--model', str(tiny_onnx)]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_prediction_that_fails_is_said(folder, capsys):
    assert main(['--real', str(folder), '--model', 'none.onnx']) == 2
    said = capsys.readouterr().err
    assert 'none.onnx does not exist' in said and 'ended with code 2' in said
    with pytest.raises(SystemExit):
        main(['--real', str(folder), '--mmdet', 'c.py'])


def test_real_faces_of_the_development_set(real_data, tiny_onnx):
    """The layout of CK+ at 48 px is read; a model that knows nothing is near chance."""
    if not (real_data / 'ck48').is_dir():
        pytest.skip(f'{real_data / "ck48"} is not there')
    table, paths = read_photos(real_data / 'ck48')
    predicted = predict_photos(paths[:60], ['--model', str(tiny_onnx), '--detector', 'none'])
    assert predicted.scores.shape == (60, 3) and predicted.found.all()
    assert len(table.aus) >= 20
