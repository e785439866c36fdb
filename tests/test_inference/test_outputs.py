# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files of predictions that other files of predictions do not replace."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.files import UniqueNames, short_name
from fmae_iat_plugin.inference.inputs import find_inputs
from fmae_iat_plugin.inference.outputs import Outputs
from fmae_iat_plugin.skipped import Skip, report_skipped

SETTINGS = dict(threshold=.5, stride=1)


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Function (names of pictures, formats, ...) -> NAMEs; writes what a prediction would.

    A file of all inputs holds their names, a file of one input the path of its picture.
    """
    monkeypatch.chdir(tmp_path)

    def predict(*inputs, formats=('openface', ), pictures=False, unreadable=(), error=None,
                **settings):
        overwrite = settings.pop('overwrite', False)
        for name in inputs:
            if isinstance(name, str) and name != 'webcam' and not Path(name).exists():
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Image.new('RGB', (4, 4)).save(name)
        items = find_inputs(list(inputs))
        out = Path('out')
        out.mkdir(exist_ok=True)
        with Outputs(out, items, {**SETTINGS, **settings}, formats, pictures,
                     overwrite) as outputs:
            if error is not None:
                raise error
            outputs.clear()
            for source, name in outputs.names.items():
                if 'openface' in formats:
                    (out / f'{name}.csv').write_text(source)
                if pictures:
                    (out / f'{name}_annotated.jpg').write_text(source)
            if 'json' in formats:
                (out / 'predictions.jsonl').write_text(' '.join(outputs.names))
            report_skipped('', [*outputs.kept, *(Skip(name, 'bad') for name in unreadable)],
                           'out/skipped.csv')
        return list(outputs.names.values())

    return predict


def files():
    """Name -> content of what is in the folder, but for the record and the list."""
    return {path.name: path.read_text() for path in Path('out').iterdir()
            if path.name not in ('prediction.json', 'skipped.csv')}


def test_a_loop_over_inputs_keeps_every_table(call):
    for name in ('a.png', 'b.png', 'other/a.png', 'a.png'):
        call(name, pictures=True)
    assert files() == {'a.csv': 'a.png', 'b.csv': 'b.png', 'a.png.csv': 'other/a.png',
                       'a_annotated.jpg': 'a.png', 'b_annotated.jpg': 'b.png',
                       'a.png_annotated.jpg': 'other/a.png'}


def test_a_file_of_all_inputs_is_not_overwritten_by_that_of_others(call):
    call('a.png', formats=('json', ))
    with pytest.raises(ValueError, match='out/predictions.jsonl would be overwritten: it holds the '
                       'predictions of .*/a.png, not among the inputs.*all inputs in one call'):
        call('b.png', formats=('json', ))
    assert files() == {'predictions.jsonl': 'a.png'}
    call('a.png', 'b.png', formats=('json', ))  # nothing is lost
    assert files() == {'predictions.jsonl': 'a.png b.png'}
    call('c.png', formats=('json', ), overwrite=True)
    assert files() == {'predictions.jsonl': 'c.png'}


def test_what_was_unreadable_stays_listed(call):
    call('a.png', unreadable=['x.png'])
    call('b.png', unreadable=['y.png'])
    assert [line.split(',')[1] for line in Path('out/skipped.csv').read_text().splitlines()] == [
        'item', 'x.png', 'y.png']
    call('a.png', 'b.png')  # all is predicted again
    assert len(Path('out/skipped.csv').read_text().splitlines()) == 1


def test_one_folder_holds_one_set_of_settings(call, caplog):
    call('a.png', 'b.png', formats=('openface', 'json'))
    with pytest.raises(ValueError, match='other settings: threshold: 0.5 there, 0.7 asked for; '
                       'that of .*/b.png is not made again'):
        call('a.png', threshold=.7)
    call('a.png', 'b.png', threshold=.7)  # replaced whole: no line of the old settings is left
    assert files() == {'a.csv': 'a.png', 'b.csv': 'b.png'}


def test_a_failed_call_changes_nothing(call):
    with pytest.raises(OSError):
        call('a.png', error=OSError('no weights'))
    assert not list(Path('out').iterdir())
    call('a.png', formats=('json', ))
    before = Path('out/prediction.json').read_text()
    with pytest.raises(OSError):
        call('a.png', threshold=.7, error=OSError('no weights'))
    assert Path('out/prediction.json').read_text() == before
    assert files() == {'predictions.jsonl': 'a.png'}


def test_foreign_files_are_not_touched(call):
    Path('out').mkdir()
    Path('out/a.csv').write_text('mine')
    with pytest.raises(ValueError, match='out/a.csv would be overwritten, and no call'):
        call('a.png')
    assert files() == {'a.csv': 'mine'}
    call('b.png')
    call('a.png', overwrite=True)
    assert files() == {'a.csv': 'a.png'}


def test_arrays_and_cameras_are_new_in_every_call(call):
    image = np.zeros((4, 4, 3), np.uint8)
    assert call(image) == ['array 1'] and call(image) == ['array 1-2']
    assert call('a.png', 'webcam') == ['a', 'webcam:0']
    assert call('webcam') == ['webcam:0-2']


def test_a_record_that_is_no_json(call):
    Path('out').mkdir()
    Path('out/prediction.json').write_text('{')
    with pytest.raises(ValueError, match='prediction.json: .*overwrite=True'):
        call('a.png')


@pytest.mark.parametrize('name', ['skipped.png', 'Skipped.PNG', 'predictions_pyfeat.png'])
def test_names_of_the_products_own_files(call, name):
    got, = call(name)
    assert got == name


def test_names_as_long_as_a_file_system_takes(call):
    long = [f'{"ä" * 125}{letter}.png' for letter in 'xy']
    names = call(*long, 'short.png', pictures=True)
    assert names[2] == 'short' and len(set(names)) == 3
    for name in names:
        assert len(os.fsencode(f'{name}_annotated.mp4')) <= 255
    assert call(*long, pictures=True) == names[:2]
    assert short_name('a' * 231) == 'a' * 231 and len(short_name('a' * 232)) == 231
    assert len(os.fsencode(UniqueNames([short_name('b' * 255)])('b' * 255))) <= 255 - 14


def test_the_record_is_json_with_every_input(call):
    call('a.png')
    call('other/a.png')
    record = json.loads(Path('out/prediction.json').read_text())
    assert record['settings'] == SETTINGS
    assert [name for _, name in record['inputs']] == ['a', 'a.png']
