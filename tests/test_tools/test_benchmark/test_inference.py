# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The inference benchmark: what it measures is what ran, the line is its formula."""

import re
import runpy
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

pytestmark = pytest.mark.slow

PATH = Path(__file__).parents[3] / 'tools' / 'benchmark' / 'inference.py'


@pytest.fixture(scope='module')
def tool():
    for name in ('dlib', 'av', 'onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(name, reason="pip install 'fmae_iat_plugin[face,export]'")
    return runpy.run_path(str(PATH))


def test_core_seconds_are_those_of_this_process(tool):
    def work():
        end = time.process_time() + .3
        while time.process_time() < end:
            pass
        return 'done'

    start = time.process_time()
    result, used = tool['measured'](work)
    assert result == 'done' and .3 <= used.core_seconds <= time.process_time() - start
    assert used.others >= 0 and used.peak > 0


def test_all_cores_do_the_work_once_each(tool):
    done = []
    result, one, every = tool['on_one_and_all'](
        lambda: done.append(sum(range(10**6))) or len(done), 3)
    assert result == 1 and len(done) == 4
    assert min(one.core_seconds, every.core_seconds) > 0


def test_every_number_of_a_video(tool, repo, tmp_path, capsys, monkeypatch):
    config = repo / 'configs/custom/own_table_tiny_48px.py'
    torch.save(dict(state_dict=MODELS.build(Config.fromfile(config).model).state_dict()),
               tmp_path / 'w.pth')
    monkeypatch.setitem(tool['main'].__globals__, 'best', lambda function, batch: (
        function(), (2. * batch, 3. * batch, 100.))[1])
    results = tool['main'](['--frames', '3', '--config', str(config), '--weights',
                            str(tmp_path / 'w.pth'), '--no-compile'])
    out = capsys.readouterr().out
    cores = int(re.search(r'3 frames, 3 faces, 48x48 pixels; (\d+) cores', out)[1])
    assert results['model'] == {(name, batch): 2. * batch for batch in (1, 32)
                                for name in ('PyTorch', 'ONNX', 'int8')}
    line = r'  (read|detect|crop|pipeline|model) +[\d.]+ \(.*?\), +([\d.]+) \('
    stages = dict(re.findall(line, out))
    for name in ('PyTorch', 'ONNX', 'int8'):
        found = results[name]
        assert found['line'] == pytest.approx(.9 * cores / found['core_seconds'])
        verdict = 'reached' if found['pipelined'] >= found['line'] else 'missed'
        part = out.split(f'  {name:8} naive loop')[1]
        assert f'= {found["line"]:.1f}: {verdict}' in part.split('naive loop')[0]
    total = 1e-3 * sum(map(float, stages.values()))
    assert results['PyTorch']['core_seconds'] == pytest.approx(total, abs=1e-4)
