# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the documentation names exists, and every page keeps to the form of the others."""

import re
import runpy
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
PAGES = sorted(str(path.relative_to(REPO))
               for path in (REPO / 'README.md', REPO / 'CONTRIBUTING.md', REPO / 'SECURITY.md',
                            *(REPO / 'docs' / 'en').rglob('*.md')))
NAMED = re.compile(r'(?<![\w./-])(?:configs|tools)/[\w./{},*-]*[\w/}*]')
LINK = re.compile(r'\]\((?!https?:|mailto:|#)([^)#\s]+)')
ANCHOR = re.compile(r'\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)')
FENCE = re.compile(r'^```.*?^```$', re.MULTILINE | re.DOTALL)
# a sentence ends, and another begins: not after "1.", "Prof." or "e.g."
SECOND_SENTENCE = re.compile(
    r'(?<!\bProf\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<=[^\W\d_.][.!?]|[)`*][.!?]) +(?=[A-Z`*\[])')
#: a command of a tool, up to a comment, a second command, or the end of the code
COMMAND = re.compile(r'\bpython (tools/[\w/]+\.py)((?:\\\n|[^\n`;&|#])*)')
#: commands that a registered page keeps, and the commit that had them last
REMOVED = {'tools/analysis_tools/lambda_sweep.py': '45f996f'}


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
    named = {name for found in NAMED.findall(text) for name in expand(found)
             if not (name in REMOVED and REMOVED[name] in text)}
    linked = {folder / link for link in LINK.findall(text)}
    return sorted([*(name for name in named if not any(REPO.glob(name))),
                   *(str(link) for link in linked if not link.exists())])


def test_what_is_missing_is_found():
    text = ('`python tools/train.py configs/iat/bp4d_fold{1,9}.py`, configs/none.py. '
            'configs/iat/disfa_fold{2..4}.py in `configs/iat/` '
            '[a](evidence.md#x) [b](none.md) (tools/gone.py)')
    sweep, commit = next(iter(REMOVED.items()))
    assert missing(sweep, REPO) == [sweep] and missing(f'{sweep}, {commit}', REPO) == []
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


def anchors(page):
    """What GitHub calls the headings of a page."""
    prose = FENCE.sub('', page.read_text(encoding='utf-8'))
    headings = re.findall(r'^#+ (.*)$', prose, re.MULTILINE)
    return {re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES)
def test_linked_headings_exist(page):
    path = REPO / page
    linked = {(path.parent / target if target else path, anchor)
              for target, anchor in ANCHOR.findall(path.read_text(encoding='utf-8'))}
    assert [link for link in linked if link[1] not in anchors(link[0])] == []


def second_sentences(text):
    """Lines of prose that hold more than one sentence."""
    prose = FENCE.sub(lambda match: '\n' * match[0].count('\n'), text)
    return [line for line in prose.splitlines()
            if not line.startswith('|') and SECOND_SENTENCE.search(line)]


def test_second_sentences_are_found():
    text = ('One sentence, Prof. Ekman.\n1. One.\n- **Where.**\n| a. | B. C |\n'
            '```\nTwo. Here.\n```\n- Two `here`. `F1` is one.\nIs it two? It is.\n**Label.** One.')
    assert second_sentences(text) == ['- Two `here`. `F1` is one.', 'Is it two? It is.']


@pytest.mark.parametrize('page', PAGES)
def test_a_line_holds_one_sentence(page):
    """So a diff shows the sentence that changed."""
    assert second_sentences((REPO / page).read_text(encoding='utf-8')) == []


@pytest.mark.parametrize('page', [page for page in PAGES if page != 'README.md'])
def test_a_page_says_for_whom_it_is_and_what_they_will_have_done(page):
    opening = (REPO / page).read_text(encoding='utf-8').split('\n\n')[1].splitlines()
    assert opening[0].startswith('This page is for ')
    assert opening[-1].startswith('At its end you will ')


def test_the_readme_is_short_and_has_the_two_commands():
    lines = (REPO / 'README.md').read_text(encoding='utf-8').splitlines()
    assert len(lines) <= 120
    for command in ('bash tools/quickstart.sh', 'bash tools/run_tests.sh'):
        assert any(line.split('  ')[0] == command for line in lines)


def test_the_architecture_names_the_layers_of_the_contract():
    project = (REPO / 'pyproject.toml').read_text(encoding='utf-8')
    contract = project.split('layers = [')[1].split('\n]')[0]
    layers = [set(re.findall(r'\w+', line)) for line in re.findall(r'"(.*)"', contract)]
    rows = re.findall(r'^\| (\d+) \| (.*?) \| (.*)', (REPO / 'docs/en/architecture.md').read_text(
        encoding='utf-8'), re.MULTILINE)
    named = [set() for _ in layers]
    for number, room, trade in rows:
        linked = re.findall(r'\[`(\w+)(?:\.py)?`\]', trade if room == 'single files' else room)
        named[int(number) - 1].update(linked)
    assert named == layers


def test_the_citation_is_of_this_version():
    version = re.search(r"'(.*)'", (REPO / 'fmae_iat_plugin/version.py').read_text())[1]
    assert f'\nversion: {version}\n' in (REPO / 'CITATION.cff').read_text(encoding='utf-8')


def commands():
    """(tool, its options) of every command line of the pages."""
    found = {}
    for page in PAGES:
        for tool, rest in COMMAND.findall((REPO / page).read_text(encoding='utf-8')):
            found.setdefault(tool, set()).update(re.findall(r'(?<=\s)--[a-z][\w-]*', rest))
    return sorted((tool, sorted(options)) for tool, options in found.items()
                  if tool not in REMOVED)


@pytest.fixture
def help_of(monkeypatch, capsys):
    """Function (tool, *arguments): what ``--help`` prints."""
    monkeypatch.setenv('COLUMNS', '200')
    monkeypatch.setenv('FMAE_IAT_PLUGIN_LIGHT', '')  # tools set it for their process

    def help_of(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *arguments, '--help'])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(REPO / tool), run_name='__main__')
        assert not end.value.code
        return capsys.readouterr().out

    return help_of


@pytest.mark.slow
@pytest.mark.parametrize('tool, options', commands())
def test_tools_have_the_options_of_the_pages(tool, options, help_of):
    text = help_of(tool)
    commands = re.search(r'^  {([\w,]+)}', text, re.MULTILINE)  # its subcommands
    text += ''.join(help_of(tool, name) for name in (commands[1].split(',') if commands else ()))
    assert set(options) <= set(re.findall(r'--[a-z][\w-]*', text))


def test_commands_of_the_pages_are_found():
    found = dict(commands())
    assert found['tools/predict.py'] == sorted([
        '--format', '--model', '--out-dir', '--vis', '--weights'])
    assert '--backend' not in found['tools/model_zoo.py'] and len(found) > 20


def python_blocks(page):
    return re.findall(r'^```python\n(.*?)^```$', (REPO / page).read_text(encoding='utf-8'),
                      re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize('page', [page for page in PAGES if python_blocks(page)])
def test_python_of_the_pages_compiles(page):
    for block in python_blocks(page):
        compile(block, page, 'exec')


def test_the_settings_of_the_readme_are_those_of_the_config():
    block, = python_blocks('README.md')
    assert block in (REPO / 'configs/custom/own_table.py').read_text(encoding='utf-8')


def test_the_face_of_the_page_is_rendered():
    block, = python_blocks('docs/en/synthfacs.md')
    names = {}
    exec(block, names)
    assert names['image'].shape == (224, 224, 3) and names['image'].std() > 20
    mouth = names['landmarks'][48:68].mean(axis=0)
    assert names['landmarks'].shape == (68, 2) and mouth[1] > names['landmarks'][30, 1]  # the nose
