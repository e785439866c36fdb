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

from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.inference.predict import main


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
    assert main([str(files[2]), '--out-dir', 'out']) == 2
    assert 'bash tools/quickstart.sh' in capsys.readouterr().err


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
