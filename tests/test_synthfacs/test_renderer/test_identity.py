# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""People are reproducible, different, plausible, and bad seeds are refused."""
from dataclasses import fields

import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer.identity import (
    BEARDS,
    GLASSES,
    HAIR_STYLES,
    sample_identity,
)

PEOPLE = [sample_identity(seed) for seed in range(300)]


def test_a_seed_is_one_person():
    sample_identity.cache_clear()
    assert [sample_identity(seed) for seed in range(300)] == PEOPLE
    assert sample_identity(np.int64(7)) == PEOPLE[7]


def test_people_differ_in_every_number():
    for field in fields(PEOPLE[0]):
        values = {getattr(p, field.name) for p in PEOPLE}
        # choices from a list show every choice, draws hardly repeat (half may sit at a bound)
        least = {'hair_style': len(HAIR_STYLES), 'beard': len(BEARDS), 'glasses': len(GLASSES),
                 'iris_colour': 5, 'moles': 4, 'freckles': 20, 'makeup': 100,
                 'brow_mobility': 1, 'mobility': 1, 'eye_anchor': 1,
                 'whole_brow': 1, 'glabella_shade': 1, 'eye_shade': 1,
                 'orbit_shade': 1, 'lid_shade': 1, 'mouth_stretch': 1}
        assert len(values) >= least.get(field.name, 200), field.name


def test_proportions_leave_room_for_everything():
    """Brow above lid above mouth above chin, and no feature wider than the face."""
    for p in PEOPLE:
        assert p.hairline_y < p.brow_y - 0.3 < -p.lid_up - p.crease - 0.2
        assert p.nose_length + p.lip_up < p.mouth_y < p.mouth_y + p.lip_low < p.chin_y - 0.3
        assert p.brow_outer_x < 0.95 * p.face_width
        assert p.eye_x - p.eye_half_width > p.brow_inner_x > 0.1
        assert p.mouth_half_width < 0.6 * p.face_width
        assert all(0 <= c <= 255 for c in (*p.skin, *p.hair_colour, *p.clothes, *p.background))


@pytest.mark.parametrize('seed', [-1, 1.5, '3', None, True])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match='integer >= 0'):
        sample_identity(seed)
