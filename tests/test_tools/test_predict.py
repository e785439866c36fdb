# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""tools/predict.py: files, exit codes, one line for an error."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from fmae_iat_plugin.apis.inferencer import AUInferencer
from fmae_iat_plugin.apis.predict import main


@pytest.fixture
def files(repo, tmp_path):
    """Config, weights, and a folder of two crops and a broken image."""
    config = repo / 'configs/custom/own_table_tiny_48px.py'
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'w.pth')
    folder = tmp_path / 'in'
    folder.mkdir()
    for name, value in (('a', 40), ('b', 90)):
        cv2.imwrite(str(folder / f'{name}.png'), np.full((50, 50, 3), value, dtype=np.uint8))
    return str(config), str(tmp_path / 'w.pth'), folder


def test_files_and_exit_codes(files, tmp_path, capsys):
    config, weights, folder = files
    options = ['--model', config, '--weights', weights, '--out-dir', str(tmp_path / 'out'),
               '--format', 'openface,json', '--detector', 'none', '--device', 'cpu']
    assert main([str(folder), *options]) == 0
    assert '2 frames, 2 faces, 0 frames without a face' in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'a.csv', 'b.csv', 'predictions.jsonl', 'skipped.csv']
    lines = (tmp_path / 'out' / 'predictions.jsonl').read_text().splitlines()
    rows = AUInferencer(config, weights, 'cpu', detector=None)(folder)
    assert [json.loads(line) for line in lines] == rows
    table = pd.read_csv(tmp_path / 'out' / 'a.csv')
    assert abs(table.AU12_p[0] - rows[0]['aus']['AU12']['probability']) < 1e-6
    (folder / 'c.jpg').write_bytes(b'broken')
    assert main([str(folder), *options]) == 1
    assert 'unreadable image' in (tmp_path / 'out' / 'skipped.csv').read_text()


@pytest.mark.parametrize('change,message', [
    (['none.mp4'], 'error: none.mp4 does not exist.'),
    (['--format', 'csv'], "error: format 'csv' is unknown. Remedy: openface"),
    (['--weights', 'none.pth'], 'error: checkpoint none.pth does not exist')])
def test_errors_are_one_line(files, tmp_path, capsys, change, message):
    config, weights, folder = files
    arguments = [str(folder), '--model', config, '--weights', weights, '--detector', 'none',
                 '--out-dir', str(tmp_path / 'out')]
    assert main([*arguments, *change] if change[0][0] == '-' else [*change, *arguments[1:]]) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith(message)


def test_without_a_model_it_says_how_to_get_one(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([str(files[2]), '--out-dir', 'out']) == 2
    assert 'bash tools/quickstart.sh' in capsys.readouterr().err
