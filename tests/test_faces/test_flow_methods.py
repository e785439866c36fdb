# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Optical flow between images against exact motion."""

import cv2
import numpy as np
import pytest
import torch

from fmae_iat_plugin.faces.flow_methods import dis_flow, raft_flow, raft_model
from fmae_iat_plugin.synthfacs import flow as exact_flow
from fmae_iat_plugin.synthfacs import render


def textured(size=160):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3) * 2


@pytest.mark.parametrize('shift', [(3, 0), (-2, 4)])
def test_dis_finds_a_shift(shift):
    image = textured()
    moved = np.roll(image, shift[::-1], axis=(0, 1))
    found = dis_flow(image, moved)[30:-30, 30:-30]
    np.testing.assert_allclose(np.median(found, axis=(0, 1)), shift, atol=0.2)


def test_dis_on_a_face_is_nearer_the_exact_flow_than_no_motion():
    now, then = {12: 1, 25: 0}, {12: 4, 25: 3}
    pictures = [np.ascontiguousarray(render(3, aus, size=64)[0][..., ::-1]) for aus in (now, then)]
    exact = exact_flow(3, now, None, then, None, size=64)
    error = np.linalg.norm(dis_flow(*pictures) - exact.flow, axis=-1)[exact.visible]
    still = np.linalg.norm(exact.flow, axis=-1)[exact.visible]
    assert error.mean() < 0.7 * still.mean()


def test_raft_is_torchvisions_model_in_pixels_of_the_image(tmp_path):
    """With weights from a file; the size and the unit against a direct call."""
    from torchvision.models.optical_flow import raft_small
    torch.manual_seed(0)
    own = raft_small(weights=None).eval()
    torch.save(own.state_dict(), tmp_path / 'raft.pth')
    image = textured(160)[:144]
    moved = np.roll(image, 3, axis=1)
    raft_model.cache_clear()
    found = raft_flow(image, moved, str(tmp_path / 'raft.pth'))
    pair = [torch.from_numpy(np.ascontiguousarray(picture[..., ::-1])).permute(2, 0, 1)[None]
            .float() / 127.5 - 1 for picture in (image, moved)]
    with torch.no_grad():
        wanted = own(*pair)[-1][0].permute(1, 2, 0).numpy()
    assert found.shape == (144, 160, 2)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    small = raft_flow(image[:60, :52], moved[:60, :52], str(tmp_path / 'raft.pth'))
    assert small.shape == (60, 52, 2) and np.isfinite(small).all()
    raft_model.cache_clear()
