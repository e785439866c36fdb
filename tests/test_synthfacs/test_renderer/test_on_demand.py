# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Values are made once, when they are asked for."""
import pytest

from fmae_iat_plugin.synthfacs.renderer.on_demand import OnDemand
from fmae_iat_plugin.synthfacs.renderer.plates import Plates, sample_identity


def test_a_value_is_made_once():
    made = []
    squares = OnDemand([3, 1, 3], lambda key: made.append(key) or key * key)
    assert list(squares) == [3, 1] and len(squares) == 2
    assert 3 in squares and 2 not in squares and made == []
    assert squares[3] == squares[3] == 9 and made == [3]
    assert dict(squares) == {3: 9, 1: 1} and made == [3, 1]
    with pytest.raises(KeyError):
        squares[2]


def test_a_neutral_face_makes_no_fold_and_no_motion():
    plates = Plates(sample_identity(0), 'crop', 32)
    assert plates.folds._made == {} and plates.anatomy.fields._made == {}
    assert 12 in plates.folds and 26 in plates.anatomy.fields
