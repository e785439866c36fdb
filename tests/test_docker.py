# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The Dockerfile has no fault that hadolint knows, and installs extras that exist."""

import re
import subprocess
import sys
from pathlib import Path


def test_hadolint_has_nothing_to_say(repo, tmp_path):
    hadolint = Path(sys.executable).parent / 'hadolint'
    done = subprocess.run([hadolint, repo / 'docker/Dockerfile'], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, '')
    faulty = tmp_path / 'Dockerfile'
    faulty.write_text('FROM debian:latest\nRUN cd / && apt-get install python3\n')
    done = subprocess.run([hadolint, faulty], capture_output=True, text=True)
    assert done.returncode == 1 and 'DL3007' in done.stdout and 'DL3003' in done.stdout


def test_its_extras_exist_and_nothing_that_the_build_needs_is_ignored(repo):
    text = (repo / 'docker/Dockerfile').read_text(encoding='utf-8')
    for extra in re.search(r'ARG EXTRAS=(\S+)', text)[1].split(','):
        assert (repo / f'requirements/{extra}.txt').is_file()
    ignored = (repo / '.dockerignore').read_text(encoding='utf-8').split()
    needed = {'setup.py', 'pyproject.toml', 'README.md', 'requirements', 'configs', 'tools',
              'model-index.yml', 'fmae_iat_plugin'}
    assert not needed & set(ignored) and {'.git', '.venv', 'data', 'checkpoints'} <= set(ignored)
