# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The index of the model zoo: ``model-index.yml`` and the metafiles it imports.

They are in OpenMMLab's format, with a few additional fields: ``Task`` of a model without results,
``Weights License``, ``Weights From`` and ``SHA256`` of the authors' file.
"""

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

from fmae_iat_plugin.stack import use_stack

FOLDER = 'checkpoints'  # folder of converted weights


class ZooModel(NamedTuple):
    """An entry of a metafile.

    Attributes:
        metafile (str): Path below the root of the zoo; ``config`` is absolute.
        results (tuple[str, ...]): What the paper reports, one line each; never our own numbers.
        weights (str, optional): Address of the authors' file.
        license, source (str): Licence and source of the weights.
        sha256 (str, optional): Checksum of the authors' file, if it is known.
    """

    name: str
    metafile: str
    config: Path
    task: str
    data: str
    readme: str
    results: tuple
    weights: Optional[str]
    license: str
    source: str
    sha256: Optional[str]

    @property
    def predicts_aus(self) -> bool:
        """Whether ``tools/predict.py`` can use it."""
        return self.task == 'Action Unit Detection'


def zoo_root() -> Optional[Path]:
    """The folder of ``model-index.yml``: a checkout, or the installation if it carries one."""
    package = Path(__file__).resolve().parents[1]
    for root in (package.parent, package / '.mim'):
        if (root / 'model-index.yml').is_file():
            return root
    return None


def configs_root() -> Path:
    """The folder ``configs`` of the checkout or the installation.

    Raises:
        FileNotFoundError: If neither carries it.
    """
    root = zoo_root()
    if root is None:
        raise FileNotFoundError('model-index.yml is missing. Remedy: pip install '
                                '--force-reinstall --no-deps fmae_iat_plugin, or run from a '
                                'checkout of the repository')
    return root / 'configs'


def config_path(name: str) -> str:
    """Path of a config of the package, for the ``_base_`` of a config elsewhere.

    MMEngine reads ``_base_`` before anything else of a config, but evaluates it, so that this line
    works in any project and with any tool::

        _base_ = [__import__('fmae_iat_plugin').config_path('iat/bp4d_fold1.py')]

    Args:
        name: Path below ``configs``.

    Raises:
        FileNotFoundError: If there is no such config; the message has similar names.
    """
    root = configs_root()
    if not (root / name).is_file():
        names = [path.relative_to(root).as_posix() for path in root.rglob('*.py')]
        near = difflib.get_close_matches(name, names, n=3, cutoff=.5)
        raise FileNotFoundError(f'the package has no config {name!r}. Remedy: a path below {root}'
                                f'{f", such as {chr(44).join(near)}" if near else ""}')
    return str(root / name)


def _read(path: Path) -> dict:
    use_stack()  # which brings yaml
    import yaml
    return yaml.load(path.read_text(encoding='utf-8'),
                     getattr(yaml, 'CSafeLoader', yaml.SafeLoader))


def metafiles(root: Path) -> List[str]:
    """Paths of the metafiles below ``root``."""
    return _read(root / 'model-index.yml')['Import']


def _drive_page(url: Optional[str]) -> Optional[str]:
    """The address of a file of Google Drive that gdown takes, and whose refusals it understands.

    The metafiles have the address of the bytes, because ``mim download`` fetches what they name as
    it is, and takes what follows the last ``/`` for the name of the file.
    """
    parts = urlsplit(url or '')
    if parts.hostname != 'drive.usercontent.google.com':
        return url
    return f'https://drive.google.com/uc?id={parse_qs(parts.query)["id"][0]}'


@lru_cache(maxsize=1)
def load_zoo() -> Dict[str, ZooModel]:
    """All models by name.

    Raises:
        FileNotFoundError: If the installation has no model index.
    """
    root, zoo = configs_root().parent, {}
    for metafile in metafiles(root):
        index = _read(root / metafile)
        for entry in index['Models']:
            results = tuple(
                f'{metric} {value}, {result["Dataset"]}' for result in entry['Results'] or ()
                for metric, value in result['Metrics'].items())
            zoo[entry['Name']] = ZooModel(
                entry['Name'], metafile, root / entry['Config'], entry['Task'],
                entry['Metadata']['Training Data'], index['Collections'][0]['README'], results,
                _drive_page(entry['Weights']), entry.get('Weights License', ''),
                entry.get('Weights From', ''), entry.get('SHA256'))
    return zoo


def find_model(name: str) -> ZooModel:
    """Find a model by its name.

    Raises:
        ValueError: If there is none; the message suggests similar names.
    """
    zoo = load_zoo()
    if name.lower() not in zoo:
        near = difflib.get_close_matches(name.lower(), zoo, 3, 0.5)
        near = f' Did you mean {", ".join(near)}?' if near else ''
        raise ValueError(f'the model zoo has no {name!r}.{near} Remedy: list the names with python '
                         'tools/model_zoo.py list.')
    return zoo[name.lower()]


def find_weights_file(model: ZooModel, folder: str = FOLDER) -> Path:
    """Find the converted weights of a model.

    Raises:
        FileNotFoundError: If they do not exist; the message says how to get them.
    """
    path = Path(folder, f'{model.name}.pth')
    if path.is_file():
        return path
    if model.weights:
        raise FileNotFoundError(
            f'{path} does not exist. Remedy: python tools/model_zoo.py download {model.name} '
            f'(weights of {model.source}, {model.license})')
    raise FileNotFoundError(
        f'{path} does not exist, and no weights of {model.name} are public. Remedy: train it '
        f'(python tools/train.py {short(model.config)}, see {model.readme}) and name its '
        'checkpoint, or copy it there')


def resolve_model(model: str, weights: Optional[str] = None) -> Tuple[str, str]:
    """Config and checkpoint of the model that a user named.

    Args:
        model: A config file, or a name of the zoo.
        weights: Checkpoint; None: the zoo's converted weights, ``checkpoints/NAME.pth``.

    Raises:
        FileNotFoundError: If the zoo's weights do not exist, see :func:`find_weights_file`.
        ValueError: If the zoo has no such name, the model does not predict action units, or a
            config file was given without weights.
    """
    if Path(model).suffix == '.py':
        if weights is None:
            raise ValueError(f'--model {model} needs --weights FILE, a checkpoint of that config')
        return model, weights
    entry = find_model(model)
    if not entry.predicts_aus:
        raise ValueError(f'{entry.name} does not predict action units; it is for: {entry.task}')
    return str(entry.config), weights or str(find_weights_file(entry))


def short(path: Path) -> Path:
    """The path relative to the root of the zoo, for commands that are given there."""
    return path.relative_to(zoo_root())
