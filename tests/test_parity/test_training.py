# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Twenty steps through MMEngine's Runner equal twenty steps of the plain-PyTorch twin.

The config inherits the real ones; the twin gets the first weights and the names of the images of
each batch, reads pixels and labels itself, and computes losses, learning rates and updates itself.
"""

import pytest
import torch
from faces import read_batch, write_faces
from twin import Twin, train

pytestmark = pytest.mark.slow

PEAK, WARMUP, EPOCHS, PER_EPOCH = 2e-3, 1, 4, 5
GAPS = {'empty': 0.2, 'missing': 0.3, 'unknown': 0.2}


def twin_of(weights, lam):
    """A twin with these first weights; plain FMAE has no identity head."""
    twin = Twin()
    keys = twin.load_state_dict(weights, strict=False)
    assert not keys.unexpected_keys
    assert set(keys.missing_keys) == ({'identity.weight', 'identity.bias'} if lam is None
                                      else set())
    return twin


@pytest.mark.parametrize(('lam', 'gaps'), [(None, {}), (0., {}), (2., {}), (0.5, GAPS)])
def test_runner_equals_twin(lam, gaps, run, to_twin, assert_same_weights, tmp_path):
    write_faces(tmp_path, **gaps)
    adversary = ({'model__adversary': None} if lam is None else
                 {'model__adversary__neck__scale': lam})
    trained = run(tmp_path, optim_wrapper__optimizer__lr=PEAK, **adversary)
    assert len(trained.steps) == EPOCHS * PER_EPOCH
    batches = [read_batch(tmp_path, step['images']) for step in trained.steps]
    if gaps:
        assert any(labels.isnan().any() and (people < 0).any() for _, labels, people in batches)
    twin = twin_of(to_twin(trained.initial), lam)
    expected = train(twin, [(images.float(), *truth) for images, *truth in batches], lam, PEAK,
                     PER_EPOCH, WARMUP, EPOCHS)

    for found, wanted in zip(trained.steps, expected, strict=True):
        assert found['loss_au'] == pytest.approx(wanted['loss_au'], abs=1e-6)
        assert found.get('loss_id', 0.) == pytest.approx(wanted['loss_id'], abs=1e-6)
        assert ('loss_id' in found) == (lam is not None)
        assert found['loss'] == pytest.approx(wanted['loss_au'] + wanted['loss_id'], abs=2e-6)
        assert to_twin(found['rates']) == pytest.approx(wanted['rates'], rel=1e-12, abs=1e-18)
    initial, final = to_twin(trained.initial), to_twin(trained.final)
    # weights move by 1e-3 to 2e-2, so this is no comparison of standing still
    assert min((final[name] - initial[name]).abs().max() for name in final) > 1e-3
    twins = {name: value for name, value in twin.state_dict().items() if name in final}
    assert_same_weights(final, twins, atol=1e-6)


def test_key_bias_has_no_effect():
    """The one thing the weights' comparison leaves out: adding to it changes no feature."""
    torch.manual_seed(0)
    twin = Twin().double()
    images = torch.randn(2, 3, 48, 48, dtype=torch.float64)
    before = twin.feature(images)
    with torch.no_grad():
        for block in twin.blocks:
            block.qkv.bias.chunk(3)[1].add_(torch.randn(32))
    torch.testing.assert_close(twin.feature(images), before, rtol=0, atol=1e-12)
    with torch.no_grad():
        twin.blocks[0].qkv.bias.chunk(3)[0].add_(torch.randn(32))
    assert (twin.feature(images) - before).abs().max() > 1e-6
