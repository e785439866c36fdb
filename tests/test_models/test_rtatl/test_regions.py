# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AU regions: centres on drawn landmarks by hand, mirrored pairs, sizes, covered pixels."""

import numpy as np
import pytest
import torch

from fmae_iat_plugin.datasets.mean_shape import MEAN_SHAPE, MIRROR, mirror
from fmae_iat_plugin.models.rtatl.regions import RULES, boxes, centres, cover, rules_of

# by hand from the table of docs/en/rtatl.md: AU -> (landmarks, shift in inner-eye distances)
TABLE = {1: ((21, 22), -1 / 2), 2: ((18, 25), -1 / 3), 4: ((19, 24), 1 / 3), 6: ((41, 46), 1),
         7: ((38, 43), 0), 9: ((32, 34), -1 / 2), 10: ((61, 63), 0), 12: ((48, 54), 0),
         14: ((48, 54), 0), 15: ((48, 54), 0), 17: ((56, 58), 1 / 2), 23: ((51, 57), 0),
         24: ((51, 57), 0), 25: ((51, 57), 0), 26: ((56, 58), 1 / 2)}


def drawn(count=3):
    """Landmarks that are no face: every coordinate is another number."""
    return torch.from_numpy(np.random.default_rng(0).uniform(0, 100, (count, 68, 2)))


def test_centres_are_those_of_the_table():
    points, aus = drawn(), sorted(TABLE)
    found = centres(points, aus)
    for face in range(3):
        unit = abs(float(points[face, 39, 0]) - float(points[face, 42, 0]))
        for column, au in enumerate(aus):
            for side in (0, 1):
                landmark, shift = TABLE[au][0][side], TABLE[au][1]
                x, y = points[face, landmark].tolist()
                assert found[face, column, side].tolist() == pytest.approx([x, y + shift * unit])


def test_brows_go_up_and_cheeks_down():
    face = torch.from_numpy(MEAN_SHAPE)[None]
    at = dict(zip((1, 2, 4, 6, 17), centres(face, (1, 2, 4, 6, 17))[0, :, 0, 1].tolist()))
    assert at[1] < MEAN_SHAPE[21, 1] and at[2] < MEAN_SHAPE[18, 1]
    assert at[4] > MEAN_SHAPE[19, 1] and at[6] > MEAN_SHAPE[41, 1] and at[17] > MEAN_SHAPE[56, 1]


def test_centres_of_a_mirrored_face_are_mirrored():
    points = drawn().numpy() / 100
    # AUs whose two landmarks are each other's mirror image; 23 to 25 are upper and lower lip
    aus = [au for au in RULES if MIRROR[RULES[au].left] == RULES[au].right]
    assert set(TABLE) - set(aus) == {23, 24, 25}
    one = centres(torch.from_numpy(points), aus)
    other = centres(torch.from_numpy(mirror(points)), aus)
    torch.testing.assert_close(other.flip(2)[..., 0], 1 - one[..., 0])
    torch.testing.assert_close(other.flip(2)[..., 1], one[..., 1])


def test_mirror_twice_is_the_same():
    points = drawn().numpy() / 100
    np.testing.assert_allclose(mirror(mirror(points)), points)
    assert sorted(MIRROR) == list(range(68))


def test_side_is_the_nominal_share_and_follows_the_eyes():
    face = torch.from_numpy(MEAN_SHAPE)[None]
    nominal = (face[0, 39, 0] - face[0, 42, 0]).abs()
    whole = boxes(face, (1, 12), nominal, 0.14)
    small = boxes(face / 2, (1, 12), nominal, 0.14)
    for found, side in ((whole, 0.14), (small, 0.07)):
        torch.testing.assert_close(found[..., 2] - found[..., 0], torch.full((1, 2, 2), side))
        torch.testing.assert_close(found[..., 3] - found[..., 1], torch.full((1, 2, 2), side))
    torch.testing.assert_close((whole[..., :2] + whole[..., 2:]) / 2, centres(face, (1, 12)))
    turned = face.clone()
    turned[:, 42] = turned[:, 39]  # a profile: both corners in one place
    assert boxes(turned, (1, ), nominal, 0.14).diff(dim=-1).abs().max() > 0
    assert (boxes(turned, (1, ), nominal, 0.14)[..., 2:] > boxes(
        turned, (1, ), nominal, 0.14)[..., :2]).all()


def test_cover_is_every_pixel_whose_centre_is_inside():
    rng = np.random.default_rng(1)
    low = rng.uniform(-0.2, 0.9, (5, 2))
    regions = np.concatenate([low, low + rng.uniform(0.05, 0.4, (5, 2))], axis=1)
    found = cover(torch.from_numpy(regions), 12, 20).numpy()
    for box, mask in zip(regions, found):
        for y in range(12):
            for x in range(20):
                inside = (box[0] <= (x + .5) / 20 < box[2]) and (box[1] <= (y + .5) / 12 < box[3])
                assert mask[y, x] == inside
    assert found.any() and not found.all()


def test_an_action_unit_without_a_region_is_an_error_in_words():
    with pytest.raises(ValueError, match='no region of the face is known for AU 37, 39.*Remedy'):
        rules_of((1, 37, 39))
