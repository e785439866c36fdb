# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The model zoo: every config by a name, what is published about it, and where its weights are.

``model-index.yml`` and the metafiles hold this in OpenMMLab's format. ``mmpretrain.get_model`` and
``list_models`` know the names. The weights are the FMAE authors', in MAE's names. They are fetched
from the authors and converted to ``checkpoints/NAME.pth``, which ``pretrained=True`` and
``tools/predict.py --model NAME`` load.
"""

import argparse
import json
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Dict, List, Optional

import fmae_iat_plugin.full  # noqa: F401  says what is missing  # isort: skip
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from mmpretrain.apis.model import ModelHub
from mmpretrain.registry import MODELS
from torch import Tensor

from fmae_iat_plugin.datasets.protocol import load_protocol
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.files import file_sha256, whole_named_file, write_whole

from .checkpoint import find_weights, misfits, read_checkpoint
from .conversion import fmae_to_mmpretrain
from .download import check_sha256, fetch
from .shapes_only import ShapesOnly
from .zoo_index import (
    FOLDER,
    ZooModel,
    find_model,
    find_weights_file,
    load_zoo,
    metafiles,
    short,
    zoo_root,
)

SCHEME = 'fmae-zoo://'  # replaces an address in MMPretrain's index
_MMDET = 'configs/face_detection/'  # mmdet builds these, so MMPretrain does not list them
_PROTOCOLS = dict(BP4D='bp4d', BP4DPlus='bp4dplus', DISFA='disfa')


def offer_zoo() -> None:
    """Has MMPretrain call :func:`register_zoo` when it is first asked for a name.

    MMPretrain reads its own index that late too, so that an import does not parse indices.
    """
    CheckpointLoader.register_scheme(SCHEME, load_from_zoo, force=True)
    own = ModelHub._register_mmpretrain_models

    def register(cls) -> None:
        cls._register_mmpretrain_models = own
        own()
        register_zoo()

    ModelHub._register_mmpretrain_models = classmethod(register)


def register_zoo() -> None:
    """Makes the names known to MMPretrain; does nothing without a model index.

    If an index has no weights, MMPretrain gives ``pretrained=True`` a random model and a warning,
    and it cannot read the authors' names. So its index gets an address of this plugin instead; the
    loader of that address reads ``checkpoints/NAME.pth`` or says how to get it.
    """
    root = zoo_root()
    if root is None:
        return
    zoo = load_zoo()
    for metafile in metafiles(root):
        if metafile.startswith(_MMDET):
            continue
        names = [name for name, model in zoo.items() if model.metafile == metafile]
        if not ModelHub.has(names[0]):
            ModelHub.register_model_index(root / metafile, config_prefix=root)
        for name in names:
            ModelHub._models_dict[name].weights = SCHEME + name


def load_from_zoo(filename: str, map_location=None) -> dict:
    """MMEngine's checkpoint loader for ``fmae-zoo://NAME``.

    Raises:
        FileNotFoundError: If the converted file does not exist, see :func:`find_weights_file`.
        ValueError: If the name is unknown, or the file is refused or does not fit the model.
    """
    model = find_model(filename.removeprefix(SCHEME))
    path = find_weights_file(model)
    content = read_checkpoint(path)
    check_fit(model, find_weights(content, path), path)
    return content


def check_fit(model: ZooModel, weights: Dict[str, Tensor], path) -> None:
    """Compares names and shapes with the model of the config.

    Raises:
        ValueError: If any differs. MAE's decoder or the adversary may be absent as a whole.
    """
    cfg = Config.fromfile(model.config).model
    with ShapesOnly(), DefaultScope.overwrite_default_scope('mmpretrain'):
        own = MODELS.build({**cfg, 'data_preprocessor': None}).state_dict()
    # parts of the model that a file may lack, because prediction does not use them
    for part in getattr(MODELS.get(cfg.type), 'training_only', ('neck', )):
        has = any(name.split('.')[0] == part for name in own)
        given = any(name.split('.')[0] == part for name in weights)
        if has and not given:
            MMLogger.get_current_instance().warning(
                '%s has no %s.*: that part of the model keeps its initial values', path, part)
            own = {name: value for name, value in own.items() if name.split('.')[0] != part}
        if given and not has and cfg.get(part):
            # a config that leaves the number of people to the data: any identity head fits
            weights = {name: value for name, value in weights.items()
                       if name.split('.')[0] != part}
    wrong = misfits(weights, own)
    if wrong:
        raise ValueError(f'{path} does not fit {model.name}: {len(wrong)} weights are missing, left'
                         f' over or of another shape ({", ".join(wrong[:4])}). Remedy: the file '
                         'that belongs to this name')


def convert(model: ZooModel, source: str, folder: str = FOLDER, trust_pickle: bool = False) -> Path:
    """Converts a file of the authors to ``folder/NAME.pth``.

    Args:
        model: Model of the weights.
        source: See :func:`~fmae_iat_plugin.weights.conversion.fmae_to_mmpretrain`.
        folder: Created if it does not exist.
        trust_pickle: Runs code that is in the file; only for your own files.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is refused or does not fit the model; then nothing is written.
    """
    if model.metafile.startswith(_MMDET):
        raise ValueError(f'{model.name} is a model of mmdet, whose weights need no conversion')
    target = Path(folder, f'{model.name}.pth')
    data = Config.fromfile(model.config).get('test_dataloader', {}).get('dataset', {})
    protocol = _PROTOCOLS.get(data.get('type'))
    with whole_named_file(target) as path:
        converted = fmae_to_mmpretrain(source, path, aus=load_protocol(protocol).aus
                                       if protocol else (), trust_pickle=trust_pickle)
        check_fit(model, converted.weights, source)
    return target


def download(model: ZooModel, folder: str = FOLDER, url: Optional[str] = None,
             sha256: Optional[str] = None) -> Path:
    """Downloads the authors' file of a model to ``folder/originals/NAME.pth`` and converts it.

    An earlier download is used if it has the checksum that is asked for or, where none is known,
    if it came from the same address.

    Args:
        model: Model to fetch.
        folder: Created if it does not exist.
        url: Address of a copy. Defaults to the authors'.
        sha256: Checksum of the file. Defaults to the metafile's, which may be None.

    Raises:
        ConnectionError, ImportError, ValueError: See :func:`~.download.fetch` and :func:`convert`.
    """
    if not (url or model.weights):
        raise ValueError(f'no weights of {model.name} are public. Remedy: train it (python '
                         f'tools/train.py {short(model.config)}), or convert your own file: '
                         f'python tools/model_zoo.py convert {model.name} --file FILE')
    address, wanted = url or model.weights, sha256 or model.sha256
    original = Path(folder, 'originals', f'{model.name}.pth')
    if not _is_there(original, address, wanted, asked=url is not None):
        found = fetch(address, original, wanted)
        write_whole(_note(original), json.dumps(dict(url=address, sha256=found)).encode())
        MMLogger.get_current_instance().info('%s: SHA-256 %s', original, found)
    try:
        return convert(model, str(original), folder)
    except ValueError as error:
        raise ValueError(f'{error}. If the download is damaged, remove {original} and try again'
                         ) from error


def _note(original: Path) -> Path:
    """Where it came from."""
    return original.with_name(f'.{original.name}.json')


def _is_there(original: Path, address: str, sha256: Optional[str], asked: bool) -> bool:
    """Whether an earlier download is what is wanted now.

    Args:
        original: Its file.
        address: What is wanted.
        sha256: What it must have; None: nothing is known.
        asked: The user named the address; else a file of unknown origin counts, as one that was
            put there by hand.
    """
    if not original.is_file():
        return False
    check_sha256(sha256)
    if sha256 is not None:
        return file_sha256(original) == sha256.lower()
    note = _note(original)
    if not note.is_file():
        return not asked
    return json.loads(note.read_text(encoding='utf-8')) == dict(
        url=address, sha256=file_sha256(original))


def _list(args: argparse.Namespace) -> None:
    models = [model for model in load_zoo().values() if fnmatch(model.name, f'*{args.pattern}*')]
    if not models:
        raise ValueError(f'no name of the model zoo matches {args.pattern!r}')
    rows = [('NAME', 'TASK', 'TRAINED ON', 'WEIGHTS', 'LICENCE', 'PUBLISHED')]
    for model in models:
        here = Path(args.out, f'{model.name}.pth')
        weights = str(here) if here.is_file() else 'download' if model.weights else '-'
        rows.append((model.name, model.task, model.data, weights, model.license or '-',
                     '; '.join(model.results) or '-'))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        line = '  '.join(cell.ljust(width) for cell, width in zip(row, widths))
        sys.stdout.write(line.rstrip() + '\n')
    sys.stdout.write('\nPUBLISHED: what the paper reports; none was measured here. LICENCE: of the '
                     'weights.\n')


def _get(args: argparse.Namespace) -> None:
    model = find_model(args.name)
    if model.weights:
        sys.stdout.write(f'{model.name}: weights of {model.source}, {model.license}: not for '
                         'commercial use; name the authors.\n')
    if args.file:
        _check_file(args)
        path = convert(model, args.file, args.out, getattr(args, 'trust_pickle', False))
    else:
        path = download(model, args.out, args.url, args.sha256)
    sys.stdout.write(f'{path}: mmpretrain.get_model({model.name!r}, pretrained=True)')
    sys.stdout.write(f', tools/predict.py --model {model.name}\n' if model.predicts_aus else '\n')


def _check_file(args: argparse.Namespace) -> None:
    """Options of a download that a local file must fulfil, or cannot."""
    if getattr(args, 'url', None):
        raise ValueError(f'--url {args.url} and --file {args.file} were both given. Remedy: name '
                         'one of them.')
    wanted = getattr(args, 'sha256', None)
    check_sha256(wanted)
    if wanted is not None and file_sha256(Path(args.file)) != wanted.lower():
        raise ValueError(f'{args.file} has the SHA-256 {file_sha256(Path(args.file))} instead of '
                         f'{wanted}. Remedy: fetch it again, or the right checksum')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest='command', required=True)
    show = commands.add_parser('list', help='list names, published results and weights')
    show.add_argument('pattern', nargs='?', default='', help='part of the name; * and ? match any')
    show.set_defaults(run=_list)
    get = commands.add_parser('download', help="download the authors' weights and convert them")
    get.add_argument('name')
    get.add_argument('--url', help='address of a copy')
    get.add_argument('--sha256', help='checksum that the file must have')
    get.add_argument('--file', help='convert this local file instead of downloading')
    turn = commands.add_parser('convert', help="convert a local file in the authors' names")
    turn.add_argument('name')
    turn.add_argument('--file', required=True, help='.pth or .safetensors')
    turn.add_argument('--trust-pickle', action='store_true',
                      help='allow the file to run code; only for your own files')
    for command in (get, turn):
        command.set_defaults(run=_get)
    for command in (show, get, turn):
        command.add_argument('--out', default=FOLDER, metavar='FOLDER',
                             help='folder of the converted weights; default: checkpoints')
    return parser


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command; the exit code is 0, or 2 with one line that says why."""
    args = _parser().parse_args(arguments)
    try:
        args.run(args)
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write('Stopped. Give the same command again to continue.\n')
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
