# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The model of the package: used where none is named, without PyTorch, and it says what it is."""

import csv
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from small_models import TINY_AUS, tiny_outputs, write_tiny_onnx

from fmae_iat_plugin.faces.crop import crop_face
from fmae_iat_plugin.faces.structures import CropOptions
from fmae_iat_plugin.inference import default_model
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.inference.onnx_backend import read_metadata
from fmae_iat_plugin.inference.predict import main


@pytest.fixture
def photo(tmp_path):
    """A rendered portrait that dlib finds, as a file and BGR."""
    from fmae_iat_plugin.synthfacs.renderer import render
    image = np.ascontiguousarray(render(3, {12: 3.}, size=256, framing='portrait')[0][..., ::-1])
    cv2.imwrite(str(tmp_path / 'photo.png'), image)
    return tmp_path / 'photo.png', image


def resized(crop, size=48):
    from PIL import Image
    return np.asarray(Image.fromarray(crop).resize((size, size), Image.BILINEAR))


def test_the_package_carries_it_where_setup_says(repo):
    text = (repo / 'setup.py').read_text()
    assert "'inference/default*.onnx'" in text
    assert default_model.PATH == repo / 'fmae_iat_plugin/inference/default_au.onnx'


def test_it_is_used_and_says_what_it_is(tiny_onnx, photo, monkeypatch):
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info',
                        lambda text, *values: said.append(text % values))
    monkeypatch.setattr(default_model, 'PATH', tiny_onnx)
    row, = AUInferencer()(photo[0])
    assert said == ['default model tiny: 3 action units (AU12, AU1, AU4); trained on three '
                    'colours; licence Apache-2.0']
    crop = crop_face(photo[1], row['box'], CropOptions())
    truth = tiny_outputs(resized(crop).transpose(2, 0, 1)[None])[0]
    found = [row['aus'][f'AU{au}']['probability'] for au in TINY_AUS]
    np.testing.assert_allclose(found, truth, atol=1e-5)
    assert np.ptp(found) > .1


def test_a_file_that_is_missing_is_said_with_the_remedy(photo, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(default_model, 'PATH', tmp_path / 'none.onnx')
    with pytest.raises(FileNotFoundError, match='none.onnx is not there. Remedy: install the'):
        AUInferencer()
    assert main([str(photo[0]), '--out-dir', str(tmp_path / 'out')]) == 2
    assert '--model CONFIG --weights FILE' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
    with pytest.raises(ValueError, match='w.pth were given without a model. Remedy'):
        AUInferencer(weights='w.pth')


def test_what_a_file_does_not_say_is_unknown(tmp_path):
    path = write_tiny_onnx(tmp_path / 'x.onnx', graded=True, name='', licence='MIT')
    notes = {key: value for key, value in read_metadata(path).items() if key != 'name'}
    notes.pop('training_data')
    assert default_model.describe(notes) == (
        'a model without a name: 3 action units (AU12, AU1, AU4), with intensities; trained on '
        'unknown data; licence MIT')


COMMAND = '''
import pathlib, runpy, sys
tool, model, *arguments = sys.argv[1:]
main = runpy.run_path(tool, run_name='imported')['main']
from fmae_iat_plugin.inference import default_model
default_model.PATH = pathlib.Path(model)
code = main(arguments)
print('STACK', sorted({'torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'timm'}
                      & set(sys.modules)))
sys.exit(code)
'''
HIDE = '''
import importlib.abc, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'timm'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in ('torch', 'mmengine') else found(
    name, *more)
sys.meta_path.insert(0, Hidden())
'''


def run(code, *arguments, cwd, **environment):
    return subprocess.run([sys.executable, '-c', code, *map(str, arguments)], cwd=cwd, text=True,
                          capture_output=True,
                          env={**os.environ, 'COLUMNS': '100', **environment})


@pytest.mark.slow
def test_a_photo_alone_gives_a_table_and_a_file_and_imports_no_stack(repo, tiny_onnx, photo,
                                                                     tmp_path):
    done = run(COMMAND, repo / 'tools/predict.py', tiny_onnx, photo[0], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'STACK []'
    assert done.stderr.count('default model tiny: 3 action units') == 1
    with open(tmp_path / 'predictions/photo/photo.csv') as file:
        row, = csv.DictReader(file)
    for name in ('AU01', 'AU04', 'AU12'):
        line, = (line for line in done.stdout.splitlines() if f'AU{int(name[2:])} ' in line)
        assert f'{float(row[name + "_p"]):.2f}' in line
        assert ('yes' in line) == (row[name + '_c'] == '1')
    again = run(COMMAND, repo / 'tools/predict.py', tiny_onnx, photo[0], '--margin', '0.3',
                '--format', 'json', '--workers', '2', cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    line, = (tmp_path / 'predictions/photo/predictions.jsonl').read_text().splitlines()
    other = json.loads(line)
    crop = crop_face(photo[1], other['box'], CropOptions(margin=.3))
    truth = tiny_outputs(resized(crop).transpose(2, 0, 1)[None])[0]
    np.testing.assert_allclose([other['aus'][f'AU{au}']['probability'] for au in TINY_AUS], truth,
                               atol=1e-5)


@pytest.mark.slow
def test_it_works_where_the_stack_is_not_installed(repo, tiny_onnx, photo, tmp_path):
    code = HIDE + '''
import pathlib, sys
import fmae_iat_plugin
from fmae_iat_plugin.inference import default_model
from fmae_iat_plugin.inference.inferencer import AUInferencer
default_model.PATH = pathlib.Path(sys.argv[1])
row, = AUInferencer()(sys.argv[2], pred_out_dir='out', show_dir='out')
print(row['success'], sorted(row['aus']))
for what in ('fmae_iat_plugin.models', 'fmae_iat_plugin.datasets.BP4D',
             'fmae_iat_plugin.engine.launch', 'fmae_iat_plugin.inference.export'):
    try:
        if what.endswith('BP4D'):
            fmae_iat_plugin.datasets.BP4D
        else:
            __import__(what)
    except ImportError as error:
        print('ERROR', what, error)
try:
    AUInferencer('configs/iat/disfa_fold1.py', 'w.pth')
except ImportError as error:
    print('ERROR config', error)
'''
    done = run(code, tiny_onnx, photo[0], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, *errors = [line for line in done.stdout.splitlines()]
    assert first == "True ['AU1', 'AU12', 'AU4']"
    assert len(errors) == 5
    for line in errors:
        assert 'needs `torch` >= 2.6' in line and "pip install 'fmae_iat_plugin[stack]'" in line
    assert {path.name for path in (tmp_path / 'out').iterdir()} >= {'photo.csv',
                                                                     'photo_annotated.jpg'}


@pytest.mark.slow
def test_a_light_import_becomes_whole_when_a_config_asks(repo, exported, photo, tmp_path):
    """The tool with a config: what registers is there, and the scores are PyTorch's."""
    cfg, weights, *_ = exported
    cfg.dump(tmp_path / 'c.py')
    (tmp_path / 'crop.png').write_bytes(photo[0].read_bytes())
    done = subprocess.run(
        [sys.executable, str(repo / 'tools/predict.py'), 'crop.png', '--model', 'c.py',
         '--weights', str(weights), '--detector', 'none', '--format', 'json', '--device', 'cpu'],
        cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    line, = (tmp_path / 'predictions/crop/predictions.jsonl').read_text().splitlines()
    truth, = AUInferencer(cfg, weights, 'cpu', detector=None)(photo[1])
    for name, value in truth['aus'].items():
        assert abs(json.loads(line)['aus'][name]['probability'] - value['probability']) < 1e-5
