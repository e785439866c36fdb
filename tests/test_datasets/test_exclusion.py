# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is left out of pretraining: subjects, images, patterns; and what excludes nothing."""

from unittest.mock import patch

import pytest
from mmengine.logging import MMLogger

from fmae_iat_plugin.datasets.exclusion import Exclusion

PATHS = ['F001/T1/0001.jpg', 'F001/T2/0001.jpg', 'F0010/T1/0001.jpg', 'M001/T1/a[1].jpg']


def kept(entries, root='data/set'):
    exclusion = Exclusion(entries)
    result = [p for p in PATHS if not exclusion.matches(p, f'{root}/{p}')]
    exclusion.check()
    return result


@pytest.mark.parametrize('entries, left', [
    (None, [0, 1, 2, 3]),
    ([], [0, 1, 2, 3]),
    ('F001', [2, 3]),  # a folder, not a prefix of its name
    ('F001/', [2, 3]),
    ('F001/T1', [1, 2, 3]),
    ('F001/T1/0001.jpg', [1, 2, 3]),
    ('data/set/F001/T1/0001.jpg', [1, 2, 3]),
    ('./data/set//F001', [2, 3]),
    ('F001*', [3]),
    ('*/T1/*', [1]),
    ('M00?/T1/*', [0, 1, 2]),
    ('M001/T1/a[1].jpg', [0, 1, 2]),  # brackets in a file name
    (['F001/T1', 'M001'], [1, 2]),
])
def test_rules(entries, left):
    assert kept(entries) == [PATHS[i] for i in left]


def test_absolute_paths(tmp_path):
    assert kept(str(tmp_path / 'F001'), root=str(tmp_path)) == PATHS[2:]


def test_list_file(tmp_path):
    """One rule a line; a remark after a tab, so that a skip file can be given."""
    file = tmp_path / 'fold1.txt'
    file.write_text('F001\n\ndata/set/M001/T1/a[1].jpg\tOSError: broken\n')
    assert kept(str(file)) == PATHS[2:3]
    file.write_text('')
    assert kept(str(file)) == PATHS


@pytest.mark.parametrize('entry', ['F002', 'F002/*', 'T1', 'no_such_list.txt'])
def test_rule_that_matches_nothing(entry):
    """A misspelt subject would otherwise leak from the test fold into pretraining."""
    with pytest.raises(ValueError, match='matches no image') as error:
        kept(['F001', entry])
    assert repr(entry) in str(error.value)


def test_list_file_that_matches_nothing(tmp_path):
    file = tmp_path / 'fold1.txt'
    file.write_text('F002\nF003\n')
    with pytest.raises(ValueError, match=r"2 of 2 entries .*'F002'.*fold1.txt, line 1"):
        kept(str(file))


def test_list_file_that_matches_partly_is_a_warning(tmp_path):
    file = tmp_path / 'fold1.txt'
    file.write_text('F001\nF003\n')
    with patch.object(MMLogger.get_current_instance(), 'warning') as warning:
        assert kept(str(file)) == PATHS[2:]
    assert "1 of 2 entries" in warning.call_args.args[0]
    assert "'F003'" in warning.call_args.args[0] and 'line 2' in warning.call_args.args[0]
