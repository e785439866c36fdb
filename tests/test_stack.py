# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The check of the stack, and that no OpenMMLab distribution is a core dependency."""

import importlib.util
import re
import subprocess
import sys
import types
from importlib import metadata

import pytest

from fmae_iat_plugin.stack import STACK, check_stack, mmcv_ops_remedy


def test_the_installed_stack_passes():
    import mmengine
    assert check_stack()['mmengine'] == mmengine.__version__


def test_the_import_says_nothing():
    done = subprocess.run([sys.executable, '-c', 'import fmae_iat_plugin'], capture_output=True,
                          text=True, check=True)
    assert done.stdout == done.stderr == ''


def test_an_absent_package_says_what_to_install():
    with pytest.raises(ImportError, match=r"`no_such_package`.*pip install 'fmae_iat"):
        check_stack({'no_such_package': ('1.0', '2.0', 'onedl-nothing')})


@pytest.mark.parametrize('version, fits', [('1.9', False), ('2.0', True), ('2.0.0', True),
                                           ('2.10.1+cu128', True), ('2.11.0rc1', False),
                                           ('2.11', False), ('10.0', False)])
def test_range_is_compared_by_number(monkeypatch, version, fits):
    module = types.ModuleType('made_up')
    module.__version__ = version
    monkeypatch.setitem(sys.modules, 'made_up', module)
    wanted = {'made_up': ('2.0', '2.11', 'made-up')}
    if fits:
        assert check_stack(wanted) == {'made_up': version}
    else:
        with pytest.raises(ImportError, match=re.escape(f'>= 2.0, < 2.11, but {version} is')):
            check_stack(wanted)


def test_a_package_that_refuses_its_own_stack_says_what_to_install(monkeypatch, tmp_path):
    """MMPretrain asserts the versions of mmcv and mmengine at import."""
    (tmp_path / 'asserting.py').write_text("assert False, 'MMCV==9.9 is used but incompatible'")
    (tmp_path / 'broken.py').write_text("raise RuntimeError('operator nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ImportError, match='MMCV==9.9 is used but incompatible.*Remedy'):
        check_stack({'asserting': ('1.0', '2.0', 'asserting')})
    with pytest.raises(ImportError, match='operator nms does not exist.*Remedy'):
        check_stack({'broken': ('1.0', '2.0', 'broken')})


@pytest.mark.parametrize('python, words', [
    ((3, 10), 'mim install onedl-mmcv'), ((3, 12), 'mim install onedl-mmcv'),
    ((3, 11), 'no wheel with the compiled operators is published for Python 3.11')])
def test_the_remedy_names_the_wheel_of_this_python(monkeypatch, tmp_path, python, words):
    remedy = mmcv_ops_remedy(python)
    assert words in remedy and 'bash tools/misc/build_mmcv_ops.sh' in remedy
    monkeypatch.setattr('fmae_iat_plugin.stack.mmcv_ops_remedy', lambda: remedy)
    (tmp_path / 'without_ops.py').write_text("raise ImportError(\"No module named 'mmcv._ext'\")")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ImportError, match=re.escape(f"'mmcv._ext'. Remedy: {remedy}")):
        check_stack({'without_ops': ('1.0', '2.0', 'onedl-mmcv')})


@pytest.mark.parametrize('original, setuptools, refused', [
    (True, '84.2.1', True), (True, '81.0.0', False), (False, '84.2.1', False)])
def test_the_original_mmengine_is_refused_without_pkg_resources(monkeypatch, original, setuptools,
                                                                refused):
    """mmengine 0.10.7 imports it where a config is read, long after its own import."""
    version, find_spec = metadata.version, importlib.util.find_spec

    def installed(name):
        if name == 'mmengine':
            if not original:
                raise metadata.PackageNotFoundError(name)
            return '0.10.7'
        return version(name)

    monkeypatch.setattr('fmae_iat_plugin.stack.metadata.version', installed)
    monkeypatch.setattr('fmae_iat_plugin.stack.find_spec', lambda name: (
        None if int(setuptools.split('.')[0]) >= 82 else object())
        if name == 'pkg_resources' else find_spec(name))
    if refused:
        with pytest.raises(ImportError, match="mmengine 0.10.7 needs.*'setuptools<82'"):
            check_stack({'mmengine': STACK['mmengine']})
    else:
        check_stack({'mmengine': STACK['mmengine']})


def names(repo, file):
    lines = (repo / 'requirements' / file).read_text().splitlines()
    return {re.split(r'[<>=\[ ]', line)[0] for line in lines if line and line[0] != '#'}


def test_no_openmmlab_distribution_is_a_core_dependency(repo):
    core, stack = names(repo, 'runtime.txt'), names(repo, 'stack.txt')
    assert not [name for name in core if 'mm' in name or name in ('torch', 'torchvision')]
    families = {'mmengine', 'mmcv', 'mmcv-lite', 'mmpretrain', 'mmdet'} & stack
    assert not families  # they overwrite the files of the onedl distributions
    assert {distribution for _, _, distribution in STACK.values()} <= stack


LAZY = ('matplotlib', 'gradio', 'dlib', 'onnxruntime', 'sklearn', 'ray')
IMPORT = f'''
import builtins, importlib, sys
own, importing = [], builtins.__import__
def record(name, scope=None, *rest, **more):
    if (scope or {{}}).get('__name__', '').startswith('fmae_iat_plugin') and \\
            name.split('.')[0] in {LAZY}:
        own.append((scope['__name__'], name))
    return importing(name, scope, *rest, **more)
for name in sys.argv[1:]:  # what the stack imports by itself is its own affair
    importlib.import_module(name)
before = set(sys.modules)
builtins.__import__ = record
import fmae_iat_plugin
new = sorted({{name.split('.')[0] for name in set(sys.modules) - before}} & set({LAZY}))
print('OWN', own, 'NEW', new)
'''


def test_the_import_leaves_out_what_only_some_commands_need():
    """Neither a module of the package nor what it pulls in beside the stack."""
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', IMPORT, 'mmpretrain.models',
                           'mmpretrain.datasets', 'mmengine.runner'],
                          capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == 'OWN [] NEW []'
