# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is left out is counted by reason, logged and listed."""

from unittest.mock import patch

import pytest
from mmengine.logging import MMLogger

from fmae_iat_plugin.skipped import Skip, report_skipped

SKIPPED = [('a.jpg', 'missing image'), ('b.jpg', 'label 8'), ('c.jpg', 'missing image')]


@pytest.fixture
def warnings():
    """The messages the current MMLogger is given."""
    with patch.object(MMLogger.get_current_instance(), 'warning') as warning:
        yield lambda: [call.args[0] for call in warning.call_args_list]


def test_counts_and_file(tmp_path, warnings):
    file = tmp_path / 'new/folder/skipped.txt'
    report_skipped('Set', SKIPPED, str(file))
    assert file.read_text() == 'a.jpg\tmissing image\nb.jpg\tlabel 8\nc.jpg\tmissing image\n'
    assert [p.name for p in file.parent.iterdir()] == ['skipped.txt']
    assert warnings() == [
        f'Set: 3 items left out (label 8: 1, missing image: 2); listed in {file}']


def test_without_file_the_log_names_the_first(warnings):
    report_skipped('Set', SKIPPED)
    assert len(warnings()) == 1 and 'the first is a.jpg' in warnings()[0]


def test_nothing_skipped_empties_the_file_and_stays_quiet(tmp_path, warnings):
    file = tmp_path / 'skipped.txt'
    file.write_text('old.jpg\told reason\n')
    report_skipped('Set', [], str(file))
    assert file.read_text() == '' and warnings() == []


def test_entries_with_file_and_line_become_a_table(tmp_path, warnings):
    file = tmp_path / 'skipped.csv'
    report_skipped('Set', [Skip('F001/T1/2', 'no image', 'a,b.csv', 3, 'looked', 5),
                           Skip('x', 'no image')], str(file))
    assert file.read_text().splitlines() == [
        'reason,item,number,file,line,detail', 'no image,F001/T1/2,5,"a,b.csv",3,looked',
        'no image,x,1,,,']
    assert warnings() == [f'Set: 6 items left out (no image: 6); listed in {file}']
