# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The package imports where there is no POSIX, and trains where there is no CUDA."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

CODE = '''
import builtins, importlib, pkgutil
POSIX = {'crypt', 'fcntl', 'grp', 'posix', 'pty', 'pwd', 'resource', 'syslog', 'termios', 'tty'}
original = builtins.__import__

def refuse(name, globals=None, *others, **named):
    here = (globals or {}).get('__name__', '')
    if name.split('.')[0] in POSIX and here.startswith('fmae_iat_plugin'):
        raise ImportError(f'{here} imports {name}')
    return original(name, globals, *others, **named)

builtins.__import__ = refuse
import fmae_iat_plugin
names = [module.name for module in
         pkgutil.walk_packages(fmae_iat_plugin.__path__, 'fmae_iat_plugin.')]
for name in names:
    importlib.import_module(name)
print('FOUND', len(names))
'''


def test_no_module_needs_posix(repo):
    done = subprocess.run([sys.executable, '-c', CODE], cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-600:]
    assert int(done.stdout.rpartition('FOUND')[2]) > 100
