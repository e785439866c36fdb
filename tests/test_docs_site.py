# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The documentation builds as a site without a warning, and nothing in it leads nowhere."""

import ast
import os
import posixpath
import re
import runpy
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest


class Page(HTMLParser):
    """What a page of HTML links, loads and can be linked by."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs[key] for key in ('id', 'name') if attrs.get(key)}
        if tag == 'a' and 'href' in attrs:
            self.links.append(attrs['href'])
        if tag in ('img', 'script') and 'src' in attrs:
            self.loaded.append(attrs['src'])
        if tag == 'link' and attrs.get('rel') in ('stylesheet', 'icon', 'preload'):
            self.loaded.append(attrs['href'])


def lost(pages, folder):
    """(page, link) of every link that leads nowhere, and of what is loaded from elsewhere."""
    found = []
    for name, page in pages.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                found += [(name, link)] * (link in page.loaded)
                continue
            to = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
            to = name if not parts.path else to
            if not (folder / to).is_file() or (
                    parts.fragment and to in pages
                    and unquote(parts.fragment) not in pages[to].anchors | {'__skip'}):
                found.append((name, link))
    return found


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / 'a.html').write_text('<a id="x" href="#x"></a><a href="b/c.html#y"></a>'
                                     '<a href="none.html"></a><a href="https://a.b"></a>')
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b/c.html').write_text('<a href="../a.html#gone"><script src="//a.b/c.js">')
    pages = {name: Page(tmp_path / name) for name in ('a.html', 'b/c.html')}
    assert lost(pages, tmp_path) == [('a.html', 'b/c.html#y'), ('a.html', 'none.html'),
                                     ('b/c.html', '../a.html#gone'), ('b/c.html', '//a.b/c.js')]


def test_the_drawn_floors_are_those_of_the_contract(repo):
    """The flowchart of the page, which the site draws itself, against import-linter's layers."""
    hooks = runpy.run_path(str(repo / 'docs/site/hooks.py'))
    page = (repo / 'docs/en/architecture.md').read_text(encoding='utf-8')
    drawn = hooks['floors'](re.search(r'```mermaid\nflowchart TD\n(.*?)```', page, re.DOTALL))
    rows = [set(re.findall('<span>(.*?)</span>', row))
            for row in re.findall('<div>(.*?)</div>', drawn)]
    contract = (repo / 'pyproject.toml').read_text(encoding='utf-8')
    layers = re.findall('^    "(.*)",$', re.search(r'\nlayers = \[\n(.*?)\n\]', contract,
                                                  re.DOTALL)[1], re.MULTILINE)
    assert rows[0] == {'tools'} and len(rows) == len(layers)  # in the place of cli, their names
    assert rows[1:-1] == [set(layer.split(' | ')) for layer in layers[1:-1]]
    assert "models, datasets, engine, evaluation, synthfacs register into MMPretrain's" in drawn


@pytest.fixture(scope='module')
def site(repo, tmp_path_factory):
    folder = tmp_path_factory.mktemp('site')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', folder], cwd=repo,
        capture_output=True, text=True, env={**os.environ, 'NO_MKDOCS_2_WARNING': '1'})
    assert done.returncode == 0 and 'WARNING' not in done.stderr, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_every_link_of_the_site_leads_somewhere(site):
    names = [path.relative_to(site).as_posix() for path in site.rglob('*.html')]
    pages = {name: Page(site / name) for name in names if name != '404.html'}  # has absolute links
    assert sum(len(page.links) for page in pages.values()) > 1000
    assert lost(pages, site) == []


@pytest.mark.slow
def test_every_page_of_the_repository_is_in_the_site(site, repo):
    for page in (repo / 'docs/en').rglob('*.md'):
        html = site / page.relative_to(repo / 'docs/en').with_suffix('.html')
        title = page.read_text(encoding='utf-8').splitlines()[0].removeprefix('# ')
        found = re.search(r'<h1 id="[^"]*">(.*?)<a', html.read_text(encoding='utf-8'))[1]
        assert re.sub(r'<.*?>|`', '', found) == title.replace('`', '')


@pytest.mark.slow
def test_the_api_describes_every_class_with_a_docstring(site, repo):
    """Counted in the source by Python's own parser."""
    rooms = {}
    for path in sorted((repo / 'fmae_iat_plugin').rglob('*.py')):
        module = '.'.join(path.relative_to(repo).with_suffix('').parts)
        room = module.split('.')[1] if path.parent != repo / 'fmae_iat_plugin' else 'package'
        tree = ast.parse(path.read_text(encoding='utf-8'))
        rooms.setdefault(room, set()).update(
            f'{module}.{node.name}' for node in tree.body if isinstance(node, ast.ClassDef)
            and node.name[0] != '_' and ast.get_docstring(node))
    assert len(rooms) == 14 and sum(map(len, rooms.values())) > 100
    for room, classes in rooms.items():
        anchors = Page(site / f'api/{room}.html').anchors
        assert {name.replace('.__init__', '') for name in classes} <= anchors, room
        text = (site / f'api/{room}.html').read_text(encoding='utf-8')
        assert not re.search(r':(?:class|func|mod|meth):', text), room
        assert not re.search(r'<code>\w+,</code>', text), room  # names that share a description


@pytest.mark.slow
def test_options_and_dates_stay_on_their_lines(site):
    """Each option in running text, and each date alone in a cell; not what stands in a block."""
    options = dates = 0
    for path in site.glob('*.html'):
        text = re.sub('<pre>.*?</pre>', '', path.read_text(encoding='utf-8'), flags=re.DOTALL)
        for code in re.findall('<code>(.*?)</code>', text):
            names = re.findall(r'(?<![\w-])--[a-z][a-z-]*', re.sub('<.*?>', '', code))
            assert re.findall(r'<span class="whole">(--[a-z][a-z-]*)', code) == names, (path, code)
            options += len(names)
        assert not re.search(r'<td>\d{4}-\d\d-\d\d</td>', text)
        dates += len(re.findall(r'<td><span class="whole">\d{4}-', text))
    assert options > 100 and dates > 20


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get('FMAE_BROWSER') != 'all', reason='FMAE_BROWSER=all runs it')
def test_no_page_is_wider_than_a_phone(site):
    api = pytest.importorskip('playwright.sync_api')
    program = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser',
                                                   'google-chrome'))), None)
    if program is None:
        pytest.skip('Chromium is not installed')
    with api.sync_playwright() as play:
        page = play.chromium.launch(executable_path=program, args=['--no-sandbox']).new_page(
            viewport=dict(width=390, height=844))
        wide = []
        for path in sorted(site.rglob('*.html')):
            if path.name != '404.html':
                page.goto(path.as_uri())
                if page.evaluate('document.documentElement.scrollWidth') > 390:
                    wide.append(path.relative_to(site).as_posix())
    assert wide == []


def test_the_dated_numbers_are_those_of_the_pages(repo):
    """Each number of the overview stands in the section that its row links."""
    text = (repo / 'docs/en/speed_accuracy.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| (?!what|-)([^|]*)\|([^|]*)\| (\d{4}-\d\d-\d\d) \| \[[^\]]*\]\(([^#]*)#',
                      text, re.MULTILINE)
    assert len(rows) == len(re.findall(r'-\d\d-\d\d \|', text)) >= 16
    for what, numbers, _, page in rows:
        quoted = Path(repo, 'docs/en', page).read_text(encoding='utf-8')
        for number in re.findall(r'\d[\d,]*(?:\.\d+)?', numbers):
            assert re.search(rf'(?<![\d.,]){re.escape(number)}(?![\d])', quoted), (what, number)
