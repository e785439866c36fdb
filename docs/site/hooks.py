# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What MkDocs does for this site beyond rendering docs/en (its events: mkdocs.org, "Hooks").

The pages are read in the repository as well, where they link to code, configs and the pages at the
top level. The site has a page for each of these: the module in the API, or the file as it is.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Dict, Set
from urllib.parse import urlsplit

from mkdocs.structure.files import File

REPO = Path(__file__).resolve().parents[2]
PACKAGE = 'fmae_iat_plugin'
DOCS = 'docs/en/'
#: page of the repository -> page of the site
PAGES = {'README.md': 'project/readme.md', 'CONTRIBUTING.md': 'project/contributing.md',
         'CHANGELOG.md': 'project/changelog.md', 'SECURITY.md': 'project/security.md',
         'projects/example/README.md': 'project/example.md'}
#: rooms of the package in the order of its floors; its single files share the page "package"
ROOMS = ('web', 'experiments', 'inference', 'visualization', 'curation', 'models', 'faces',
         'weights', 'synthfacs', 'converters', 'datasets', 'engine', 'evaluation')
MERMAID = re.compile(r'^```mermaid\nflowchart TD\n(.*)^```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'(?<=\]\()[^)\s]+(?=\))')
FENCE = re.compile(r'(^ *```.*?^ *```$)', re.MULTILINE | re.DOTALL)
CONSTANT = re.compile(r'AUS|FRAMINGS|[A-Z]+_[A-Z_]+')  # without a docstring
CODE = re.compile('<code>([^<]*)</code>')
OPTION = re.compile(r'(?<![\w-])--?[a-z][\w-]*')
DATE = re.compile(r'(?<=<td>)\d{4}-\d\d-\d\d(?=</td>)')
LANGUAGES = {'.py': 'python', '.json': 'json', '.toml': 'toml', '.yml': 'yaml', '.sh': 'bash'}


def on_config(config):
    """The pages that are made here enter the navigation."""
    for section in config.nav:
        if 'API' in section:
            section['API'] = [{PACKAGE: 'api/package.md'},
                              *({room: f'api/{room}.md'} for room in ROOMS)]
        if 'Project' in section:
            section['Project'] += [{'README': page} if name == 'README.md' else page
                                   for name, page in PAGES.items()]
    return config


def on_files(files, config):
    """Add the pages of the top level, the API, the pictures, and every file that is linked."""
    wanted, made = set(), api_pages()
    for page in list(files.documentation_pages()):
        made[page.src_uri] = relinked(page.content_string, DOCS + page.src_uri, page.src_uri,
                                      wanted)
        files.remove(page)
    for name, page in PAGES.items():
        made[page] = relinked((REPO / name).read_text(encoding='utf-8'), name, page, wanted)
    done = set()
    while wanted - done:  # a page of configs links its folders
        name = min(wanted - done)
        made[source_uri(name)] = source_page(name, wanted)
        done.add(name)
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    for path in sorted((REPO / 'docs' / 'images').iterdir()):
        files.append(File.generated(config, f'images/{path.name}', abs_src_path=str(path)))
    files.append(File.generated(config, 'site/style.css',
                                abs_src_path=str(REPO / 'docs' / 'site' / 'style.css')))
    return files


def on_page_content(html, **_):
    """A browser breaks lines at hyphens: not within an option or a date."""
    def whole(match):
        return f'<span class="whole">{match[0]}</span>'

    html = CODE.sub(lambda code: f'<code>{OPTION.sub(whole, code[1])}</code>', html)
    return DATE.sub(whole, html)


def api_pages() -> Dict[str, str]:
    """One page for each room, and one for the single files of the package."""
    pages = {f'api/{room}.md': f'# {room}\n\n{exported(room)}::: {PACKAGE}.{room}\n'
             for room in ROOMS}
    modules = sorted(path.stem for path in (REPO / PACKAGE).glob('*.py') if path.stem[0] != '_')
    pages['api/package.md'] = '\n'.join([
        f'# {PACKAGE}', f'::: {PACKAGE}\n    options: {{show_submodules: false}}\n',
        *(f'::: {PACKAGE}.{name}\n    options: {{show_root_heading: true}}\n'
          for name in modules)])
    return pages


def exported(room: str) -> str:
    """The public names of a room, each with a link to its description."""
    tree = ast.parse((REPO / PACKAGE / room / '__init__.py').read_text(encoding='utf-8'))
    names = [name for node in tree.body if isinstance(node, ast.Assign)
             and node.targets[0].id == '__all__' for name in ast.literal_eval(node.value)]
    links = ', '.join(f'`{name}`' if CONSTANT.fullmatch(name) else
                      f'[`{name}`][{PACKAGE}.{room}.{name}]' for name in sorted(names))
    return links and f'`from {PACKAGE}.{room} import ...`: {links}.\n\n'


def relinked(text: str, name: str, page: str, wanted: Set[str]) -> str:
    """A page of the repository with the links of the site.

    Args:
        text: Its Markdown.
        name: Its path below the repository.
        page: Its path in the site.
        wanted: Takes the files and folders that the site must show for these links.
    """
    def link(match):
        target = match[0]
        parts = urlsplit(target)
        if parts.scheme or not parts.path:
            return target
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), parts.path))
        to = posixpath.relpath(site_uri(path, wanted), posixpath.dirname(page) or '.')
        return f'{to}#{parts.fragment}' if parts.fragment else to

    parts = FENCE.split(text)
    parts[::2] = [LINK.sub(link, part) for part in parts[::2]]
    parts[1::2] = [MERMAID.sub(floors, part) for part in parts[1::2]]
    return ''.join(parts)


def floors(flowchart) -> str:
    """A flowchart of Mermaid as rows of boxes, because its own script comes from another server.

    A row is the longest way to the bottom; a dotted arrow becomes a sentence below.
    """
    names, below, said = {}, {}, []

    def nodes(text):
        for node in text.split(' & '):
            name, _, label = node.strip().rstrip(')]').partition('[')
            names[name] = label.strip('(') or names.get(name, name)
            yield name

    for line in filter(None, map(str.strip, flowchart[1].splitlines())):
        dotted = re.fullmatch(r'(.*) -\. (.*) \.-> (.*)', line)
        if dotted:
            left, right = (', '.join(names[name] for name in list(nodes(part)))
                           for part in (dotted[1], dotted[3]))
            said.append(f'<p>{left} {dotted[2]} {right}.</p>')
        else:
            left, right = line.split(' --> ')
            targets = list(nodes(right))
            for name in nodes(left):
                below.setdefault(name, set()).update(targets)

    def height(name):
        return 1 + max(map(height, below.get(name, ())), default=-1)

    drawn = {name for pair in below.items() for name in (pair[0], *pair[1])}
    rows = [[names[name] for name in names if name in drawn and height(name) == level]
            for level in sorted(set(map(height, drawn)), reverse=True)]
    boxes = (''.join(f'<span>{name}</span>' for name in row) for row in rows)
    return (f'<div class="floors">{"".join(f"<div>{row}</div>" for row in boxes)}'
            f'{"".join(said)}</div>')


def site_uri(path: str, wanted: Set[str]) -> str:
    """Where the site has a file or folder of the repository, with the anchor there."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith(DOCS):
        return path[len(DOCS):]
    if path.startswith('docs/images/'):
        return path[len('docs/'):]
    path = path.replace('/__init__.py', '')
    package, _, inside = path.partition('/')
    if package == PACKAGE:
        room = inside.split('/')[0]
        page = f'api/{room if room in ROOMS else "package"}.md'
        if inside in ('', room) and not room.endswith('.py'):
            return page
        if path.endswith('.py') or (REPO / path / '__init__.py').exists():
            return f'{page}#{path.removesuffix(".py").replace("/", ".")}'
    if package == 'configs' and not (REPO / path).is_dir():
        folder, _, file = path.rpartition('/')
        wanted.add(folder)
        return f'{source_uri(folder)}#{slug(file)}'
    wanted.add(path)
    return source_uri(path)


def slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-')


def source_uri(path: str) -> str:
    """The page that shows a file or folder as it is."""
    return f'source/{path}/index.md' if (REPO / path).is_dir() else f'source/{path}.md'


def source_page(path: str, wanted: Set[str]) -> str:
    """A file as it is; a folder of configs with its files; the names in any other folder."""
    file = REPO / path
    head = f'---\nsearch: {{exclude: true}}\n---\n\n# {path}\n\n'
    if not file.is_dir():
        return head + code(file)
    inside = sorted(name for name in file.iterdir() if not name.name.startswith(('__', '.')))
    if path.split('/')[0] != 'configs':
        return head + ''.join(f'- `{path}/{name.name}`\n' for name in inside)
    here = posixpath.dirname(source_uri(path))
    folders = ''.join(
        f'- [`{path}/{name.name}`]'
        f'({posixpath.relpath(site_uri(f"{path}/{name.name}", wanted), here)})\n'
        for name in inside if name.is_dir())
    return head + '\n'.join([folders, *(f'## {name.name}\n\n{code(name)}'
                                        for name in inside if name.is_file())])


def code(file: Path) -> str:
    """A file as a block of code."""
    text = file.read_text(encoding='utf-8').rstrip()
    return f'````{LANGUAGES.get(file.suffix, "text")}\n{text}\n````\n'
