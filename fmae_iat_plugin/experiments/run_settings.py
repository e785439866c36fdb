# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the numbers of a run come from: its resolved config, and what stands in the files it names.

A finished run is used again only where both are the same; otherwise old numbers would be printed
for a new question.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from mmengine.config import Config

from fmae_iat_plugin.files import differences, file_sha256

from .run_plan import NOTE, Run, run_config

#: how and where a run is carried out; its numbers do not depend on it
_NOT_SETTINGS = ('work_dir', 'launcher', 'resume')
#: settings that name a file; those of a data set are relative to its ``data_root``
_FILES = ('pretrained', 'load_from', 'checkpoint', 'protocol')
_TABLE = 'annotation.csv'  # of a data set whose config does not name it


def run_settings(cfg: Config) -> Dict[str, Any]:
    """Every setting by its dotted name, and the SHA-256 of every file that the config names.

    Args:
        cfg: Of a run, see :func:`~.run_plan.run_config`.

    Returns:
        dict: Of values that JSON knows: ``'optim_wrapper.optimizer.lr'``: 0.001, ``'contents of
        data/annotation.csv'``: ``'9f86...'``.
    """
    plain = json.loads(json.dumps({key: value for key, value in cfg.to_dict().items()
                                   if key not in _NOT_SETTINGS}, default=str))
    settings = dict(_flat(plain))
    for path in sorted(set(_named_files(plain))):
        settings[f'contents of {path}'] = file_sha256(path)
    return settings


def config_digest(cfg: Config) -> str:
    """16 hexadecimal digits that tell configs apart."""
    return hashlib.sha256(cfg.pretty_text.encode()).hexdigest()[:16]


def check_run(run: Run, cfg: Config) -> Dict[str, Any]:
    """Its settings, if it was not begun before or begun with the same.

    Args:
        run: Which.
        cfg: Its config.

    Raises:
        ValueError: See :func:`check_unchanged`.
    """
    settings = run_settings(cfg)
    if Path(run.work_dir, NOTE).is_file():
        check_unchanged(run.work_dir, run.note(), settings, config_digest(cfg))
    return settings


def unfinished(runs: Sequence[Run]) -> List[Run]:
    """Those that are to be carried out.

    Raises:
        ValueError: If one was begun, or finished, with another config or other data.
    """
    for run in runs:
        if Path(run.work_dir, NOTE).is_file():
            check_run(run, run_config(run))
    return [run for run in runs if not run.predictions.is_file()]


def check_unchanged(folder: str, note: dict, settings: Dict[str, Any],
                    digest: Optional[str] = None) -> None:
    """A folder belongs to one set of settings.

    Args:
        folder: Of a run, for the message.
        note: What it holds of an earlier start: ``settings``, or of an older version ``digest``.
        settings: What is asked for, see :func:`run_settings`.
        digest: The same for notes of an older version.

    Raises:
        ValueError: Names each setting that differs, with both values.
    """
    if 'settings' in note:
        changed = '' if note['settings'] == settings else differences(note['settings'], settings)
    else:
        changed = '' if note.get('digest') == digest else 'its note does not name them'
    if changed:
        raise ValueError(f'{folder} was started with another config or other data ({changed}). '
                         'Remedy: choose another --out, or remove this folder.')


def _flat(value: Any, name: str = '') -> Iterator[tuple]:
    """(dotted name, value) of each leaf; an empty container is a leaf."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(
        value, list) and any(isinstance(item, (dict, list)) for item in value) else ()
    if not parts:
        yield name, value
    for key, item in parts:
        yield from _flat(item, f'{name}.{key}' if name else str(key))


def _named_files(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _named_files(item)
    if not isinstance(value, dict):
        return
    root = value.get('data_root')
    if isinstance(root, str) and 'type' in value:
        table = Path(root, str(value.get('ann_file') or _TABLE)).expanduser()
        if table.is_file():
            yield str(table)
    for key, item in value.items():
        if key in _FILES and isinstance(item, str) and os.path.isfile(os.path.expanduser(item)):
            yield os.path.expanduser(item)
        yield from _named_files(item)
