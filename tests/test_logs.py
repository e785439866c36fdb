# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""One logger: MMEngine's where that was imported, else one that is heard on stderr."""

import subprocess
import sys

from mmengine.logging import MMLogger

from fmae_iat_plugin.logs import is_main_process, logger


def test_mmengines_where_it_is():
    assert logger() is MMLogger.get_current_instance()
    assert is_main_process()


def test_without_mmengine_it_is_heard_once():
    code = '''
import os, sys
os.environ['FMAE_IAT_PLUGIN_LIGHT'] = '1'
from fmae_iat_plugin.logs import is_main_process, logger
for number in (1, 2):
    logger().info('said %d', number)
assert is_main_process() and 'mmengine' not in sys.modules
'''
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == ''
    assert [line.split(' - ')[1:] for line in done.stderr.splitlines()] == [
        ['fmae_iat_plugin', 'INFO', 'said 1'], ['fmae_iat_plugin', 'INFO', 'said 2']]
