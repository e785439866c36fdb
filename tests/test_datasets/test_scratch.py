# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files of a process end with it, and not with a process that it forked."""

import os
import subprocess
import sys

from fmae_iat_plugin.datasets import scratch

SCRIPT = '''
import os, runpy, sys
scratch_file = runpy.run_path(sys.argv[1])['scratch_file']  # without the rest, which loads long
path = scratch_file('a')
path.write_text('text')
child = os.fork()
if not child:
    mine = scratch_file('a')
    mine.write_text('of the child')
    print(mine, flush=True)
    sys.exit()
os.waitpid(child, 0)
print(path, path.read_text())
'''


def test_files_end_with_their_process():
    done = subprocess.run([sys.executable, '-c', SCRIPT, scratch.__file__], capture_output=True,
                          text=True, check=True)
    child, parent = done.stdout.splitlines()
    path, text = parent.split()
    assert text == 'text' and path != child
    assert not os.path.exists(path) and not os.path.exists(child)
