# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The command ``fmae-iat``: the tools, from any folder and without a checkout.

``fmae-iat NAME ...`` is ``python tools/FILE ...`` of the checkout or of the copy that is installed.
``--help`` of every command works without PyTorch and the OpenMMLab packages. An argument
``configs/...`` that is not in the current folder is the config of the installation.
"""

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Dict, List, Mapping, Optional

from fmae_iat_plugin.errors import exit_code, say_error
from fmae_iat_plugin.version import __version__
from fmae_iat_plugin.weights.zoo_index import configs_root

#: command -> tool, in the order of a user's work; a folder holds one tool for each data set
COMMANDS = MappingProxyType({
    'predict': 'predict.py', 'web': 'demo/web.py', 'heat-maps': 'visualization/au_cam.py',
    'zoo': 'model_zoo.py', 'export': 'export_onnx.py', 'join': 'join_onnx.py',
    'convert': 'dataset_converters', 'crop': 'crop_faces.py', 'verify': 'misc/verify_dataset.py',
    'landmarks': 'misc/find_landmarks.py', 'flow': 'misc/compute_flow.py', 'train': 'train.py',
    'test': 'test.py', 'dist-train': 'dist_train.sh', 'dist-test': 'dist_test.sh',
    'slurm-train': 'slurm_train.sh', 'slurm-test': 'slurm_test.sh',
    'cross-validate': 'cross_validate.py', 'compare': 'analysis_tools/compare.py',
    'probe': 'analysis_tools/identity_probe.py', 'report': 'report.py'})

_HELP = ('-h', '--help')


def tools() -> Path:
    """The folder ``tools`` of the checkout or the installation.

    Raises:
        FileNotFoundError: If neither carries it.
    """
    return configs_root().parent / 'tools'


def description(tool: Path) -> str:
    """What a tool says of itself: its docstring, or the comment at its head."""
    text = tool.read_text(encoding='utf-8')
    if tool.suffix == '.py':
        return ast.get_docstring(ast.parse(text)) or ''
    head = (line for line in text.splitlines()[1:] if not line.startswith('# Copyright'))
    return next(line for line in head if line.startswith('# '))[2:]


def with_installed_configs(arguments: List[str]) -> List[str]:
    """Arguments; ``configs/...`` is the installation's where the current folder has no such file.

    Args:
        arguments: Of a command.
    """
    def resolve(argument: str) -> str:
        carried = tools().parent / argument
        return str(carried) if (argument.startswith('configs/') and carried.is_file()
                                and not Path(argument).exists()) else argument

    return [resolve(argument) for argument in arguments]


def run(tool: Path, name: str, arguments: List[str]) -> int:
    """Run a tool as a script in this process, or in a shell; returns its exit code.

    Args:
        tool: Its file.
        name: What the user called, for its usage.
        arguments: Of the tool.
    """
    arguments = with_installed_configs(arguments)
    if tool.suffix == '.sh':
        return subprocess.run(['bash', str(tool), *arguments],
                              env={**os.environ, 'PYTHON': sys.executable}).returncode
    sys.argv = [str(tool), *arguments]
    try:
        runpy.run_path(str(tool), run_name='__main__')
    except ImportError as error:
        if not set(_HELP) & set(arguments):
            return say_error(error)
        sys.stdout.write(f'usage: fmae-iat {name} ...\n\n{description(tool)}\n\nThe options are '
                         f'those of packages that are not installed: {error}\n')
    except SystemExit as end:
        if not isinstance(end.code, str):
            return end.code or 0
        sys.stderr.write(f'{end.code}\n')
        return 1
    return 0


def _choose(named: Mapping[str, Path], arguments: List[str], prefix: str = '') -> int:
    """Run the command that the first argument names, or list them all."""
    if not arguments or arguments[0] in _HELP:
        rows = ''.join(f'  {name:<15} {description(path).splitlines()[0]}\n' if path.is_file()
                       else f'  {name:<15} A release of a data set to the annotation table.\n'
                       for name, path in named.items())
        sys.stdout.write(f'usage: fmae-iat {prefix}COMMAND ...\n\n{rows}\nfmae-iat {prefix}COMMAND '
                         '--help shows the options of a command.\n')
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in named:
        sys.stderr.write(f'error: fmae-iat {prefix}{name}: no such command. Remedy: one of '
                         f'{", ".join(named)}\n')
        return 2
    if named[name].is_dir():
        sets: Dict[str, Path] = {path.stem: path for path in sorted(named[name].glob('*.py'))}
        return _choose(sets, rest, f'{prefix}{name} ')
    return run(named[name], prefix + name, rest)


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code of the tool, or 2 if there is no such command."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ['--version']:
        sys.stdout.write(f'{__version__}\n')
        return 0
    return exit_code(lambda: _choose({name: tools() / path for name, path in COMMANDS.items()},
                                     arguments))


if __name__ == '__main__':
    sys.exit(main())
