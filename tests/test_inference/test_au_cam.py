# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The command for heat maps: a column for each action unit, errors in one line."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from fmae_iat_plugin.inference.au_cam import main
from fmae_iat_plugin.visualization.cam import CELL

pytest.importorskip('pytorch_grad_cam')


@pytest.fixture
def arguments(repo, tmp_path):
    config = repo / 'configs/custom/own_table_tiny_48px.py'
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    torch.nn.init.normal_(model.head.fc.weight, std=.2)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'w.pth')
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / 'a.png'), rng.integers(0, 256, (60, 60, 3), dtype=np.uint8))
    return [str(tmp_path / 'a.png'), '--model', str(config), '--weights', str(tmp_path / 'w.pth'),
            '--detector', 'none', '--device', 'cpu', '-o', str(tmp_path / 'o.png')]


def cells(path):
    picture = cv2.imread(str(path)).astype(int)
    return [picture[36:36 + CELL, left:left + CELL]
            for left in range(0, picture.shape[1], CELL + 6)]


def test_a_column_for_each_action_unit(arguments, tmp_path):
    assert main([*arguments, '--au', '12,4']) == 0
    crop, first, second = cells(tmp_path / 'o.png')
    face = cv2.resize(cv2.imread(str(tmp_path / 'a.png')), (CELL, CELL))
    small = [cv2.resize(image.astype(np.float32), (6, 6), interpolation=cv2.INTER_AREA)
             for image in (crop, face)]
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > .9
    assert main([*arguments, '--au', 'AU4']) == 0  # the same map alone
    again = cells(tmp_path / 'o.png')
    assert len(again) == 2 and (again[1] == second).all() and (first != second).any()


@pytest.mark.parametrize('change,message', [
    (['--au', '45'], 'error: the model does not predict AU45. Remedy: one of AU'),
    (['--au', '99'], "error: unknown action unit '99'"),
    (['--au', '12', '-o', 'o.pdf'], 'error: --out o.pdf is neither .png nor .jpg')])
def test_errors_are_one_line(arguments, capsys, change, message):
    assert main([*arguments, *change]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(message)


def test_a_broken_image_is_said(arguments, tmp_path, capsys):
    (tmp_path / 'a.png').write_text('a text')
    assert main([*arguments, '--au', '12']) == 2
    assert 'unreadable image' in capsys.readouterr().err
