# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A label file of AffectNet: one number 0 to 10, however NumPy stored it."""

import numpy as np
import pytest

from fmae_iat_plugin.datasets.affectnet_code import read_code


@pytest.mark.parametrize('code', range(11))
@pytest.mark.parametrize('store', [str, int, float, np.int8, np.float16, lambda c: [str(c)]])
def test_every_code_as_every_type(tmp_path, code, store):
    np.save(tmp_path / '1_exp.npy', store(code))
    assert read_code(tmp_path / '1_exp.npy') == code


@pytest.mark.parametrize('value', ['11', '-1', 2.5, 'happy', True, [1, 2], b'3', np.nan])
def test_anything_else_is_an_error(tmp_path, value):
    np.save(tmp_path / '1_exp.npy', value)
    with pytest.raises(ValueError, match=r'1_exp\.npy: expected an expression label 0\.\.10, '
                       'found .*Remedy'):
        read_code(tmp_path / '1_exp.npy')


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match='1_exp.npy: expected an expression label'):
        read_code(tmp_path / '1_exp.npy')
