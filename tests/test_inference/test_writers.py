# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Writers: the files have the published columns, and read back they hold what was written."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from fmae_iat_plugin.inference.predictions import FacePrediction
from fmae_iat_plugin.inference.writers import SCHEMA, build_writers

AUS = (24, 1, 12, 39)  # one that OpenFace lacks, one that both tools lack; not sorted

# OpenFace 2.2, FeatureExtraction and FaceLandmarkVidMulti: the header of a whole CSV
OPENFACE = ['frame', 'face_id', 'timestamp', 'confidence', 'success'] + [
    f'AU{au}_c' for au in '01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 28 45'.split()]
PYFEAT = (['FaceRectX', 'FaceRectY', 'FaceRectWidth', 'FaceRectHeight', 'FaceScore']
          + [f'x_{i}' for i in range(68)] + [f'y_{i}' for i in range(68)]
          + ['Pitch', 'Roll', 'Yaw', 'X', 'Y', 'Z'] + [f'AU{au}' for au in (
              '01 02 04 05 06 07 09 10 11 12 14 15 17 20 23 24 25 26 28 43').split()]
          + ['anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', 'neutral',
             'input', 'frame', 'FrameHeight', 'FrameWidth', 'approx_time'])


def face(source, frame, time, face_id=0, score=1.75, probabilities=(.125, .5, .75, 1.)):
    return FacePrediction(source, frame, time, face_id, True, score, (10., 20.5, 40., 60.), 640,
                          480, probabilities, tuple(value >= .5 for value in probabilities))


def nobody(source, frame, time):
    return FacePrediction(source, frame, time, 0, False, None, None, 640, 480)


ROWS = [face('d/a.mp4', 1, 0.), face('d/a.mp4', 1, 0., 1, .25, (0., .25, .5, .0625)),
        nobody('d/a.mp4', 2, 61.04), face('e/a.mp4', 1, .5), face('a.jpg', 1, None, score=None)]


def write(tmp_path, name, rows=ROWS, aus=AUS):
    writer, = build_writers([name], tmp_path / 'out', aus)
    with writer:
        for row in rows:
            writer.write(row)
        assert not (set((tmp_path / 'out').glob('[!.]*')) - set(writer.paths))  # none half-written
    return writer.paths


def test_openface_has_its_columns_first_and_no_intensity(tmp_path):
    paths = write(tmp_path, 'openface')
    assert [path.name for path in paths] == ['a.csv', 'a.mp4.csv', 'a.jpg.csv']
    table = pd.read_csv(paths[0])
    ours = [name for name in OPENFACE if name in table]
    extra = ['AU24_c', 'AU39_c', 'AU01_p', 'AU12_p', 'AU24_p', 'AU39_p']
    assert list(table) == ours + extra
    assert ours == OPENFACE[:5] + ['AU01_c', 'AU12_c']
    assert table.frame.tolist() == [1, 1, 2] and table.face_id.tolist() == [0, 1, 0]
    assert table.success.tolist() == [1, 1, 0] and table.timestamp.tolist() == [0, 0, 61.04]
    assert table.confidence.tolist() == [1, .25, 0]
    by_hand = pd.DataFrame(dict(AU01_c=[1, 0, None], AU12_c=[1, 1, None], AU24_c=[0, 0, None],
                                AU39_c=[1, 0, None], AU01_p=[.5, .25, None],
                                AU12_p=[.75, .5, None], AU24_p=[.125, 0, None],
                                AU39_p=[1, .0625, None]), dtype=float)
    pd.testing.assert_frame_equal(table[list(by_hand)], by_hand)
    image = pd.read_csv(paths[2])
    assert image[['timestamp', 'confidence']].isna().all(axis=None)


def test_openface_with_all_of_its_units_has_the_whole_published_header(tmp_path):
    aus = [45, 28, 26, 25, 23, 20, 17, 15, 14, 12, 10, 9, 7, 6, 5, 4, 2, 1]
    path, = write(tmp_path, 'openface', [nobody('v.avi', 1, 0.)], aus)
    header = path.read_text().splitlines()[0].split(',')
    assert header[:len(OPENFACE)] == OPENFACE
    assert not [name for name in header if name.endswith('_r')]


GRADED = (39, 1, 12)  # of a model with intensities, in an order of their own
STRONG = [ROWS[0]._replace(intensities=(.25, 5., 0.)), ROWS[2],
          ROWS[1]._replace(intensities=(1.5, 2.125, 3.)),
          ROWS[4]._replace(intensities=(0., 1., 2.))]


def write_graded(tmp_path, name):
    with build_writers([name], tmp_path / 'out', AUS, None, GRADED)[0] as writer:
        for row in STRONG:
            writer.write(row)
    return writer.paths


def test_openface_has_intensities_before_occurrences_as_openface_writes_them(tmp_path):
    path, _ = write_graded(tmp_path, 'openface')
    header = path.read_text().splitlines()[0].split(',')
    assert header[5:] == ['AU01_r', 'AU12_r', 'AU39_r', 'AU01_c', 'AU12_c', 'AU24_c', 'AU39_c',
                          'AU01_p', 'AU12_p', 'AU24_p', 'AU39_p']
    table = pd.read_csv(path)
    assert table.AU39_r.tolist()[::2] == [.25, 1.5] and table.AU01_r.tolist()[::2] == [5., 2.12]
    assert table.AU12_r.tolist()[::2] == [0., 3.] and table.AU24_p.tolist()[::2] == [.125, 0.]
    assert table.iloc[1, 5:].isna().all()


def test_json_lines_have_intensities_where_the_model_gives_them(tmp_path):
    path, = write_graded(tmp_path, 'json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    schema = json.loads(SCHEMA.read_text())
    for line in lines:
        jsonschema.validate(line, schema)
    assert [{name: cell['intensity'] for name, cell in (line['aus'] or {}).items()
             if 'intensity' in cell} for line in lines] == [
        dict(AU39=.25, AU1=5., AU12=0.), {}, dict(AU39=1.5, AU1=2.125, AU12=3.),
        dict(AU39=0., AU1=1., AU12=2.)]
    assert set(lines[0]['aus']['AU24']) == {'probability', 'present'}


def test_parquet_has_intensities_and_pyfeat_has_no_place_for_them(tmp_path):
    pytest.importorskip('pyarrow', reason="pip install 'fmae_iat_plugin[parquet]'")
    table = pd.read_parquet(*write_graded(tmp_path, 'parquet'))
    assert [name for name in table if name.endswith('_r')] == ['AU39_r', 'AU01_r', 'AU12_r']
    np.testing.assert_array_equal(table.AU01_r, np.float32([5, np.nan, 2.125, 1]))
    path, = write_graded(tmp_path, 'pyfeat')
    assert pd.read_csv(path).AU01.tolist()[::2] == [.5, .25]  # probabilities, as ever


def test_many_inputs_of_one_name_get_a_file_each(tmp_path):
    rows = [face(f'{folder}/a.MP4', 1, 0.) for folder in 'abcde']
    paths = write(tmp_path, 'openface', rows)
    assert len({path.name.lower() for path in paths}) == 5
    assert all(len(pd.read_csv(path)) == 1 for path in paths)


def test_pyfeat_has_all_its_columns(tmp_path):
    path, = write(tmp_path, 'pyfeat')
    table = pd.read_csv(path)
    assert list(table) == PYFEAT + ['AU39', 'timestamp', 'face_id']
    assert table.frame.tolist() == [0, 0, 1, 0, 0] and table.input.tolist() == [
        row.input for row in ROWS]
    assert table[['FaceRectX', 'FaceRectY', 'FaceRectWidth', 'FaceRectHeight', 'FaceScore']].iloc[
        0].tolist() == [10, 20.5, 30, 39.5, 1.75]
    assert table.iloc[2][[*PYFEAT[:5], 'AU01', 'AU24']].isna().all()
    assert table.approx_time.tolist()[:3] == ['00:00', '00:00', '01:01']
    np.testing.assert_array_equal(table[['AU24', 'AU01', 'AU12', 'AU39']].iloc[1],
                                  [0, .25, .5, .0625])
    unknown = [name for name in PYFEAT if name[:2] == 'AU' and name not in ('AU24', 'AU01', 'AU12')]
    assert table[unknown + ['x_0', 'Pitch', 'anger']].isna().all(axis=None)


def test_json_lines_keep_the_schema(tmp_path):
    path, = write(tmp_path, 'json')
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        validator.validate(line)
    assert lines[1]['aus'] == dict(
        AU24=dict(probability=0., present=False), AU1=dict(probability=.25, present=False),
        AU12=dict(probability=.5, present=True), AU39=dict(probability=.0625, present=False))
    assert lines[2] == dict(input='d/a.mp4', frame=2, timestamp=61.04, face_id=0, success=False,
                            confidence=None, box=None, width=640, height=480, aus=None)
    for wrong in (dict(lines[0], aus=None), dict(lines[2], aus={}), dict(lines[0], frame=0),
                  dict(lines[0], AU01_r=1)):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(wrong)


def test_parquet_has_types_and_nulls(tmp_path, monkeypatch):
    pytest.importorskip('pyarrow')
    monkeypatch.setattr('fmae_iat_plugin.inference.writers.parquet.ParquetWriter.CHUNK', 2)
    path, = write(tmp_path, 'parquet')
    table = pd.read_parquet(path)
    assert list(table) == ['input', 'frame', 'timestamp', 'face_id', 'success', 'confidence', 'x1',
                           'y1', 'x2', 'y2', 'width', 'height', 'AU24_c', 'AU01_c', 'AU12_c',
                           'AU39_c', 'AU24_p', 'AU01_p', 'AU12_p', 'AU39_p']
    assert len(table) == 5 and table.success.tolist() == [True, True, False, True, True]
    assert table[['x1', 'y1', 'x2', 'y2']].iloc[3].tolist() == [10, 20.5, 40, 60]
    assert table.loc[2, 'confidence':'y2'].isna().all() and table.loc[2, 'AU24_c':].isna().all()
    assert table.loc[1, 'AU24_c':].tolist() == [0, 0, 1, 0, 0, .25, .5, .0625]
    assert table.AU01_p.dtype == 'float32' and table.timestamp.isna().tolist()[-1]


@pytest.mark.parametrize('name', ['openface', 'pyfeat', 'json', 'parquet'])
def test_an_error_leaves_no_file(tmp_path, name):
    with pytest.raises(RuntimeError, match='stop'):
        with build_writers([name], tmp_path, AUS)[0] as writer:
            writer.write(ROWS[0])
            raise RuntimeError('stop')
    assert list(tmp_path.iterdir()) == []


def test_unknown_formats_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"format 'csv' is unknown\. Remedy: openface, pyfeat"):
        build_writers(['json', 'csv'], tmp_path, AUS)
    with pytest.raises(ValueError, match='no format was given'):
        build_writers([], tmp_path, AUS)


@pytest.mark.parametrize('when', ['while it is written', 'when it is closed'])
def test_nothing_is_left_of_a_file_for_which_there_is_no_room(tmp_path, when):
    class Full:
        def close(self):
            raise OSError(28, 'No space left on device')

    writer, = build_writers(['json'], tmp_path, (1, ))
    writer.file.close()
    writer.file = Full()
    with pytest.raises(OSError, match='No space left'), writer:
        if when == 'while it is written':
            raise OSError(28, 'No space left on device')
    assert not list(tmp_path.iterdir())
