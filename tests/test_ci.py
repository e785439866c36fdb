# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Continuous integration cannot be green because something was left out."""

import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('built, variable, code, tested, words', [
    (True, None, 0, True, ''), (False, None, 1, False, 'ERROR: nothing was tested'),
    (False, '0', 1, False, 'FMAE_NO_COMPILER=1'), (False, '1', 0, True, 'mmdet is NOT tested')])
def test_ops_that_cannot_be_built(repo, tmp_path, built, variable, code, tested, words):
    for name, text in (('tools/misc/build_mmcv_ops.sh', f'exit {int(not built)}'),
                       ('tools/run_tests.sh', 'touch tested')):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / '.ci').mkdir()
    shutil.copy(repo / '.ci/run', tmp_path / '.ci/run')
    environment = {key: value for key, value in os.environ.items() if key != 'FMAE_NO_COMPILER'}
    if variable is not None:
        environment['FMAE_NO_COMPILER'] = variable
    done = subprocess.run(['bash', tmp_path / '.ci/run'], env=environment, capture_output=True,
                          text=True)
    assert (done.returncode, (tmp_path / 'tested').exists()) == (code, tested)
    assert words in done.stderr
