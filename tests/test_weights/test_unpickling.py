# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Numbers, arrays and log histories come back as they were; nothing that a file names is called."""

import os

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer

from fmae_iat_plugin.weights.checkpoint import read_checkpoint
from fmae_iat_plugin.weights.unpickling import Nothing


def through_a_file(tmp_path, content):
    torch.save(content, tmp_path / 'file.pth')
    return read_checkpoint(tmp_path / 'file.pth')


@pytest.mark.parametrize('value', [
    np.float64(.1), np.float32(.1), np.int64(-3), np.bool_(True), np.uint8(255), np.str_('AU1'),
    np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6.).reshape(2, 3)), np.array([]),
    np.array(['AU1', 'AU12']), np.arange(3, dtype='>f4'), np.array(5.), np.zeros((0, 3))])
def test_numbers_of_numpy(tmp_path, value):
    found = through_a_file(tmp_path, dict(a=[(value, 'x')], b=value))
    for got in (found['a'][0][0], found['b']):
        assert type(got) is type(value) and got.dtype == value.dtype
        np.testing.assert_array_equal(got, value)


def test_log_histories_and_configs(tmp_path):
    history = HistoryBuffer(max_length=7)
    for number in range(9):
        history.update(number / 3, number)
    found = through_a_file(tmp_path, dict(
        log=dict(loss=history), meta=ConfigDict(aus=(1, 2), inner=dict(a=[1]))))
    copy = found['log']['loss']
    assert isinstance(copy, HistoryBuffer) and copy.max_length == 7
    for got, want in zip(copy.data, history.data):
        np.testing.assert_array_equal(got, want)
    assert copy.mean() == history.mean()
    assert found['meta'] == dict(aus=(1, 2), inner=dict(a=[1]))


def test_containers_that_hold_themselves(tmp_path):
    content = dict(a=[])
    content['a'].append(content)
    found = through_a_file(tmp_path, content)
    assert found['a'][0] is found


class Call:

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_notes_that_make_no_sense_are_nothing(tmp_path):
    """An array of objects, a number of the wrong length: no value, and no error."""
    found = through_a_file(tmp_path, dict(
        objects=np.array([None, 1], dtype=object),
        array=Call(np.arange(1).__reduce__()[0], np.ndarray, (0, ), b'b'),
        attribute=Call(getattr, np.ndarray, 'tofile')))
    assert all(isinstance(value, Nothing) for value in found.values())
    assert not callable(found['attribute'])


def test_any_other_name_is_refused(tmp_path):
    for function in (os.system, eval, np.load, np.fromfile):
        with pytest.raises(ValueError, match='was refused'):
            through_a_file(tmp_path, dict(a=Call(function, 'x')))
