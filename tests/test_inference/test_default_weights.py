# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The weights in the package are those of the config, say so, and tell faces apart."""

import json

import numpy as np
import pytest
from mmengine.config import Config

from fmae_iat_plugin.inference import default_model
from fmae_iat_plugin.inference.onnx_backend import OnnxBackend

pytestmark = pytest.mark.skipif(not default_model.PATH.is_file(), reason='no weights here')


@pytest.fixture(scope='module')
def cfg(repo):
    return Config.fromfile(repo / 'configs/synthfacs/default_au.py', import_custom_modules=False)


@pytest.fixture(scope='module')
def backend():
    return OnnxBackend(default_model.PATH, 'cpu')


def test_it_is_small_and_says_what_it_is(cfg, backend):
    assert default_model.PATH.stat().st_size <= 8e6
    notes = backend.metadata
    assert {key: notes[key] for key in cfg.model_card} == cfg.model_card
    assert notes['licence'] == 'Apache-2.0' and notes['config'] == 'default_au.py'
    assert backend.aus == backend.intensity_aus == tuple(cfg.aus)
    assert backend.image_size == (64, 64)
    assert backend.cropping == cfg.train_dataloader.dataset.cropping
    assert [step['type'] for step in json.loads(notes['pipeline'])] == ['Resize', 'PackInputs']
    assert 'with intensities; trained on rendered faces alone' in default_model.describe(notes)


def test_it_does_not_see_colour_or_exposure(backend):
    """A grey twin of a picture, darker, has the same scores but for rounding and the floor."""
    noise = np.random.default_rng(0).integers(0, 25, (3, 8, 8)).repeat(8, 1).repeat(8, 2) * 10
    grey = np.einsum('chw,c->hw', noise, [.114, .587, .299])
    bright, dark, other = (np.broadcast_to(plane, (3, 64, 64)).round().astype(np.uint8)
                           for plane in (grey, .8 * grey, grey[::-1]))
    colour, *rest = backend([dict(inputs=face) for face in (
        noise.astype(np.uint8), bright, dark, other)])
    same, darker, else_where = (np.abs(scores - colour)[:17].max() for scores in rest)
    assert same < .01 and darker < .1
    assert else_where > same
