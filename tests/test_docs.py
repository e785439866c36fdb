# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every config, tool and page that the documentation names exists."""

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
PAGES = sorted(str(path.relative_to(REPO))
               for path in (REPO / 'README.md', REPO / 'CONTRIBUTING.md', REPO / 'SECURITY.md',
                            *(REPO / 'docs' / 'en').rglob('*.md')))
NAMED = re.compile(r'(?<![\w./-])(?:configs|tools)/[\w./{},*-]*[\w/}*]')
LINK = re.compile(r'\]\((?!https?:|mailto:|#)([^)#\s]+)')


def expand(name):
    """Braces as bash expands them: ``{1,2}``, ``{1..3}``."""
    match = re.search(r'{([^{}]*)}', name)
    if not match:
        return [name]
    span = re.fullmatch(r'(\d+)\.\.(\d+)', match[1])
    parts = (map(str, range(int(span[1]), int(span[2]) + 1)) if span else match[1].split(','))
    return [done for part in parts
            for done in expand(name[:match.start()] + part + name[match.end():])]


def missing(text, folder):
    """Names of configs and tools below the repository, and links from ``folder``, that are not."""
    named = {name for found in NAMED.findall(text) for name in expand(found)}
    linked = {folder / link for link in LINK.findall(text)}
    return sorted([*(name for name in named if not any(REPO.glob(name))),
                   *(str(link) for link in linked if not link.exists())])


def test_what_is_missing_is_found():
    text = ('`python tools/train.py configs/iat/bp4d_fold{1,9}.py`, configs/none.py. '
            'configs/iat/disfa_fold{2..4}.py in `configs/iat/` '
            '[a](evidence.md#x) [b](none.md) (tools/gone.py)')
    assert missing(text, REPO / 'docs' / 'en') == sorted([
        str(REPO / 'docs/en/none.md'), 'configs/iat/bp4d_fold9.py', 'configs/iat/disfa_fold4.py',
        'configs/none.py', 'tools/gone.py'])


@pytest.mark.parametrize('page', PAGES)
def test_what_a_page_names_exists(page):
    assert missing((REPO / page).read_text(encoding='utf-8'), (REPO / page).parent) == []


def test_pages_name_something():
    texts = [(REPO / page).read_text(encoding='utf-8') for page in PAGES]
    assert sum(len(NAMED.findall(text)) for text in texts) > 100
    assert sum(len(LINK.findall(text)) for text in texts) > 40
