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

from fmae_iat_plugin.files import hold_folder
from fmae_iat_plugin.inference import default_model
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.inference.predict import main

pytestmark = pytest.mark.slow


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
    said = capsys.readouterr().out
    assert '2 frames, 2 faces, 0 frames without a face' in said
    assert said.endswith(f"skipped.csv); 3 files of predictions in {tmp_path / 'out'}\n")
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'a.csv', 'b.csv', 'prediction.json', 'predictions.jsonl', 'skipped.csv']
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
    monkeypatch.setattr(default_model, 'PATH', tmp_path / 'none.onnx')
    assert main([str(files[2]), '--out-dir', 'out']) == 2
    assert 'none.onnx is not there. Remedy: install the package' in capsys.readouterr().err


def test_bad_inputs_are_named_and_the_batch_goes_on(files, tmp_path, capfd):
    av = pytest.importorskip('av')
    config, weights, folder = files
    (folder / 'corrupt.jpg').write_bytes(b'\xff\xd8\xff\xe0' + bytes(99))
    (folder / 'text.mp4').write_text('a text')
    wide = np.zeros((1000, 20000, 3), dtype=np.uint8)
    wide[:, 7000:8000] = 200
    cv2.imwrite(str(folder / 'wide.png'), wide)
    cv2.imwrite(str(folder / 'huge.png'), np.zeros((20000, 20000), dtype=np.uint8))
    with av.open(str(folder / 'sound.mp4'), 'w') as container:
        stream = container.add_stream('aac', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    writer = cv2.VideoWriter(str(folder / 'cut.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    rng = np.random.default_rng(0)
    for _ in range(40):
        writer.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    whole = (folder / 'cut.avi').read_bytes()
    (folder / 'cut.avi').write_bytes(whole[:len(whole) * 2 // 3])
    (tmp_path / 'empty').mkdir()
    out, empty = tmp_path / 'out', str(tmp_path / 'empty')
    assert main([str(folder), 'webcam:97', empty, 'none.png', '--model', config, '--weights',
                 weights, '--out-dir', str(out), '--detector', 'none', '--device', 'cpu']) == 1
    said = capfd.readouterr().out
    assert '8 inputs not or not wholly readable' in said
    listed = pd.read_csv(out / 'skipped.csv').set_index('item')
    listed.index = [item.split('/')[-1] for item in listed.index]
    assert listed.reason.to_dict() == {
        'corrupt.jpg': 'unreadable image', 'huge.png': 'unreadable image',
        'text.mp4': 'unreadable video', 'sound.mp4': 'unreadable video',
        'cut.avi': 'video with fewer frames than declared', 'webcam:97': 'unreadable camera',
        'empty': 'unusable input', 'none.png': 'unusable input'}
    assert 'holds neither images' in listed.detail['empty']
    assert listed.detail['none.png'] == 'none.png does not exist.'
    assert 'exceeds limit' in listed.detail['huge.png']
    assert listed.detail['sound.mp4'] == 'no video stream'
    read = {path.stem: len(pd.read_csv(path)) for path in out.glob('*.csv')
            if path.name != 'skipped.csv'}
    assert {name: read[name] for name in ('a', 'b', 'wide')} == dict(a=1, b=1, wide=1)
    assert set(read) == {'a', 'b', 'wide', 'cut'} and 10 < read['cut'] < 40
    assert main([empty, '--model', config, '--weights', weights, '--out-dir', str(out)]) == 2
    assert 'holds neither images' in capfd.readouterr().err


@pytest.mark.parametrize('workers', ['1', '2'])
def test_vis_gives_a_picture_of_each_input(files, tmp_path, workers, capsys):
    av = pytest.importorskip('av')
    config, weights, folder = files
    (folder / 'more').mkdir()
    writer = cv2.VideoWriter(str(folder / 'more' / 'a.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10,
                             (64, 48))
    for grey in (0, 90, 180):
        writer.write(np.full((48, 64, 3), grey, dtype=np.uint8))
    writer.release()
    out = tmp_path / 'out'
    assert main([str(folder), '--model', config, '--weights', weights, '--out-dir', str(out),
                 '--detector', 'none', '--device', 'cpu', '--vis', '--workers', workers]) == 0
    names = {path.name for path in out.iterdir()}
    assert names == {'a.csv', 'b.csv', 'a.avi.csv', 'skipped.csv', 'prediction.json',
                     'a_annotated.jpg', 'b_annotated.jpg', 'a.avi_annotated.mp4',
                     'a.avi_timeline.png'}
    assert capsys.readouterr().out.endswith(
        f'skipped.csv); 3 files of predictions, 4 pictures and videos in {out}\n')
    with av.open(str(out / 'a.avi_annotated.mp4')) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, [0, .1, .2], atol=1e-4)


def test_other_inputs_do_not_replace_what_is_there(files, tmp_path, capsys):
    config, weights, folder = files
    options = ['--model', config, '--weights', weights, '--out-dir', str(tmp_path / 'out'),
               '--format', 'json', '--detector', 'none', '--device', 'cpu']
    assert main([str(folder / 'a.png'), *options]) == 0
    before = (tmp_path / 'out' / 'predictions.jsonl').read_bytes()
    assert main([str(folder / 'b.png'), *options]) == 2
    assert 'predictions.jsonl would be overwritten' in capsys.readouterr().err
    assert (tmp_path / 'out' / 'predictions.jsonl').read_bytes() == before
    assert main([str(folder / 'b.png'), *options, '--overwrite']) == 0
    line, = (tmp_path / 'out' / 'predictions.jsonl').read_text().splitlines()
    assert json.loads(line)['input'] == str(folder / 'b.png')


def test_a_folder_in_use_is_left_alone(files, tmp_path, capsys):
    config, weights, folder = files
    with hold_folder(tmp_path / 'out', 'a prediction'):
        assert main([str(folder), '--model', config, '--weights', weights, '--detector', 'none',
                     '--out-dir', str(tmp_path / 'out')]) == 2
    assert f'{tmp_path / "out"} is in use: a prediction (process' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('options,words', [
    (['--threshold', '1.5'], 'threshold is 1.5'), (['--threshold', 'nan'], 'threshold is nan'),
    (['--smoothing', 'nan'], 'smoothing is nan'), (['--smoothing', 'inf'], 'smoothing is inf'),
    (['--stride', '0'], 'stride 0'), (['--batch-size', '0'], 'batch_size 0'),
    (['--device', 'gpu'], "device 'gpu' is unknown"),
    (['--device', 'cpu,cuda:99'], "device 'cuda:99' is not on this machine"),
    (['--format', ','], 'no format was given'),
    (['--model', 'configs/fmae/fmae_vit-small_face9m.py'], 'is not a model of action units')])
def test_options_that_make_no_sense_are_one_line(files, repo, tmp_path, capsys, monkeypatch,
                                                 options, words):
    monkeypatch.chdir(repo)
    config, weights, folder = files
    assert main([str(folder), '--model', config, '--weights', weights, '--detector', 'none',
                 '--out-dir', str(tmp_path / 'out'), *options]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / 'out').exists()


def test_an_empty_output_folder_is_not_the_current_one(files, capsys):
    with pytest.raises(SystemExit, match='2'):
        main([str(files[2]), '--out-dir', ''])
    assert 'the path is empty' in capsys.readouterr().err


def test_weights_of_a_training_that_diverged_are_refused(files, tmp_path, capsys):
    config, weights, folder = files
    content = torch.load(weights)
    content['state_dict']['head.fc.weight'][0, 0] = float('nan')
    torch.save(content, weights)
    assert main([str(folder), '--model', config, '--weights', weights, '--detector', 'none',
                 '--out-dir', str(tmp_path / 'out'), '--device', 'cpu']) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert weights in error and 'finite' in error
    assert not list((tmp_path / 'out').rglob('*.csv'))
