# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""tools/compat.sh writes one row for each environment, whatever happens in it."""

import os
import re
import shutil
import subprocess
import sys

import pytest

PAGE = '''# Page

| name | packages | models | heads | metric | training | resume | run on |
|---|---|---|---|---|---|---|---|
| onedl-3.11 | old | passed | passed | passed | passed | passed | 2000-01-01 |

Words | that stay.
'''
#: makes an environment whose Python answers as the check of that row does
UV = '''#!/usr/bin/env bash
if [ "$1" = venv ]; then mkdir -p "${@: -1}/bin"; exit; fi
case "$*" in *mmcv-lite*"setuptools>=82"*) row=refused code=3;; *) row=passed code=0;; esac
case "$*" in *no-such-package*) echo "no-such-package: not found"; exit 1;; esac
cat >"$VIRTUAL_ENV/bin/python" <<CODE
#!/usr/bin/env bash
[ "\\$2" = "$BREAKS" ] && { echo "Traceback" >&2; echo "it broke" >&2; exit 1; }
echo "| \\$2 | $row | a | b | c | d | e |"
exit $code
CODE
chmod +x "$VIRTUAL_ENV/bin/python"
'''


@pytest.fixture
def compat(repo, tmp_path):
    """Function (filter, breaks): the finished process and the page; only Python 3.11 is here."""
    (tmp_path / 'bin').mkdir()
    own = f'#!/bin/sh\nexec {sys.executable} "$@"\n'  # `which python3` may be a script of pyenv
    for name, text in (('uv', UV), ('python3.11', '#!/bin/sh\n'), ('python3', own)):
        (tmp_path / 'bin' / name).write_text(text)
        (tmp_path / 'bin' / name).chmod(0o755)
    for name in ('bash', 'env', 'mktemp', 'rm', 'ls', 'tail', 'grep', 'date', 'dirname', 'mkdir',
                 'cat', 'chmod'):
        (tmp_path / 'bin' / name).symlink_to(shutil.which(name))
    page = tmp_path / 'page.md'

    def compat(wanted, breaks='none'):
        page.write_text(PAGE)
        done = subprocess.run(
            ['bash', repo / 'tools/compat.sh', wanted], capture_output=True, text=True,
            env={**os.environ, 'PATH': str(tmp_path / 'bin'), 'PYENV_ROOT': str(tmp_path),
                 'COMPAT_PAGE': str(page), 'BREAKS': breaks, 'TMPDIR': str(tmp_path)})
        assert not list(tmp_path.glob('compat.*'))  # the environments are gone
        return done, page.read_text()

    return compat


def test_rows_are_replaced_and_added(compat):
    done, page = compat('3.11')
    assert done.returncode == 0, done.stderr
    today = r'\d{4}-\d\d-\d\d'
    rows = re.findall(rf'^\| (\S+) \| (\w+) \| a \| b \| c \| d \| e \| {today} \|$', page, re.M)
    assert rows == [('onedl-3.11', 'passed'), ('original-3.11', 'passed'),
                    ('original-setuptools-82-3.11', 'refused')]
    assert page.startswith(PAGE.split('| onedl')[0]) and page.endswith('\n\nWords | that stay.\n')
    assert 'old' not in page


def test_a_check_that_breaks_has_a_row_and_fails(compat):
    done, page = compat('onedl-3.11', breaks='onedl-3.11')
    assert done.returncode == 1 and 'exit code 1 instead of 0' in done.stderr
    assert '| onedl-3.11 | broken: it broke | - | - | - | - | - | 20' in page


def test_a_python_that_is_not_here_is_said(compat):
    done, page = compat('onedl-3.10')
    assert done.returncode == 0 and page == PAGE
    assert '| onedl-3.10 | not run: no Python 3.10 here |' in done.stdout


def test_the_page_has_every_row_passed_or_explained(repo):
    names = re.findall(r'^(?:ROWS=")?([\w.-]+); [\d.]+; (\d);',
                       (repo / 'tools/compat.sh').read_text(), re.MULTILINE)
    rows = dict(re.findall(r'^\| ([\w.-]+\d) \|(.*)\|$', (
        repo / 'docs/en/compatibility.md').read_text(), re.MULTILINE))
    assert len(names) == 10 and set(rows) == {name for name, _ in names}
    for name, expected in names:
        packages, *cells, date = [text.strip() for text in rows[name].split('|')]
        assert re.fullmatch(r'\d{4}-\d\d-\d\d', date)
        if expected == '0':
            assert cells == ['passed'] * 5 and packages.startswith('Python 3.')
        else:
            assert packages.startswith('refused: ') and 'Remedy: ' in packages
