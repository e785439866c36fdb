# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Whoever lacks a package is told the extra that installs it."""

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fmae_iat_plugin.extras import needs_extra

ROOT = Path(__file__).parents[1]
#: import name -> distribution, where they differ; None: ours, or a need of one that is listed
NAMES = {'concept_erasure': 'concept-erasure', 'dlib': 'dlib-bin', 'pytorch_grad_cam': 'grad-cam',
         'sklearn': 'scikit-learn', 'fmae_iat_plugin': None, 'requests': None}


def uses() -> list:
    """(file, extra, top-level packages imported) of every ``with needs_extra(...)``."""
    found = []
    for path in sorted((ROOT / 'fmae_iat_plugin').rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.With) or not isinstance(node.items[0].context_expr,
                                                                ast.Call):
                continue
            call = node.items[0].context_expr
            if getattr(call.func, 'id', '') == 'needs_extra':
                names = {name for line in node.body
                         for name in ([line.module] if isinstance(line, ast.ImportFrom)
                                      else [alias.name for alias in line.names])}
                found.append((path.name, call.args[0].value,
                              sorted({name.split('.')[0] for name in names})))
    return found


def distributions(extra: str) -> set:
    lines = (ROOT / 'requirements' / f'{extra}.txt').read_text(encoding='utf-8').splitlines()
    return {re.match('[A-Za-z0-9_.-]+', line).group() for line in lines
            if line.strip() and not line.startswith('#')}


def test_every_package_is_in_the_extra_that_is_named():
    assert len(uses()) >= 12
    for file, extra, packages in uses():
        assert {NAMES.get(name, name) for name in packages} - {None} <= distributions(extra), file


#: import name -> distribution of the core or the stack
CORE = {'cv2': 'opencv-python', 'PIL': 'pillow', 'mmengine': 'onedl-mmengine',
        'mmcv': 'onedl-mmcv', 'mmpretrain': 'onedl-mmpretrain', 'yaml': 'onedl-mmengine',
        'mmdet': 'onedl-mmdetection', 'markupsafe': 'jinja2'}
#: rooms that are entered only with an extra
ROOMS = dict(visualization='analysis', web='demo', faces='mmdet')


def imported_outside_of_extras(path: Path) -> set:
    """Top-level names that are imported without ``needs_extra`` around."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    guarded = {id(line) for node in ast.walk(tree) if isinstance(node, ast.With)
               and 'needs_extra' in ast.dump(node.items[0].context_expr)
               for line in ast.walk(node)}
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and id(node) not in guarded:
            names |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and id(node) not in guarded:
            names.add(node.module.split('.')[0])
    return names - set(sys.stdlib_module_names) - {'fmae_iat_plugin'}


def test_what_everybody_imports_everybody_has():
    """A package that only an extra brings is imported with its remedy."""
    core = distributions('runtime') | distributions('stack')
    package = ROOT / 'fmae_iat_plugin'
    for path in package.rglob('*.py'):
        room = ROOMS.get(path.relative_to(package).parts[0])
        here = core | (distributions(room) if room else set())
        needed = {CORE.get(name, NAMES.get(name, name))
                  for name in imported_outside_of_extras(path)}
        assert needed <= here, path


def brings(extra: str) -> set:
    """Everything that an extra installs, by what its installed distributions say they need."""
    found, left = set(), distributions(extra)
    while left:
        name = left.pop()
        found.add(name.lower())
        needs = map(Requirement, metadata.requires(name) or ())
        left |= {need.name for need in needs if not need.marker or need.marker.evaluate(
            {'extra': ''})} - found - {need.lower() for need in found}
    return found


def test_which_extras_bring_pytorch():
    """As the page says: prediction and its pictures do without."""
    page = (ROOT / 'docs/en/index.md').read_text(encoding='utf-8')
    said = re.search('Of all extras, only (.*) bring PyTorch', page)[1]
    extras = {path.stem for path in (ROOT / 'requirements').glob('*.txt')} - {'runtime'}
    found = {}
    for extra in sorted(extras):
        try:
            found[extra] = 'torch' in brings(extra)
        except metadata.PackageNotFoundError:
            continue  # not here
    assert {'analysis', 'demo', 'export', 'face', 'zoo', 'interpret'} <= set(found)
    assert {extra for extra, torch in found.items() if torch} == (
        set(re.findall('`(.*?)`', said)) & set(found))


def test_what_is_missing_and_what_to_do():
    with pytest.raises(ImportError, match="^heat maps: No module named 'no_such_package'. Remedy: "
                       r"pip install 'fmae_iat_plugin\[analysis\]', or none.$") as caught:
        with needs_extra('analysis', 'heat maps', 'none'):
            import no_such_package  # noqa: F401
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    with pytest.raises(KeyError), needs_extra('face', 'videos', error=KeyError):
        import no_such_package  # noqa: F401
    with pytest.raises(ZeroDivisionError), needs_extra('face', 'videos'):
        _ = 1 / 0  # anything else is left alone
