# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""MMEngine loads through :func:`~.checkpoint.read_checkpoint`: in training, test and ``get_model``.

``load_from``, ``--resume``, ``tools/test.py``, ``init_cfg=dict(type='Pretrained')`` and
``mmpretrain.get_model`` all end in ``CheckpointLoader``, whose own loaders unpickle whatever a file
names. ``--trust-pickle`` and :func:`fmae_iat_plugin.trust.trust_pickle` let them.
"""

from typing import Callable, Union

import torch
from mmengine.fileio import get_local_path
from mmengine.runner import CheckpointLoader

from fmae_iat_plugin.trust import trusts_pickle

from .checkpoint import check_finite, read_checkpoint

#: MMEngine's names of places that a user can put a file; the others are fixed vendors
_PLACES = ('', 'http://', 'https://')
_STORES = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://')


def register_guard() -> None:
    """Make MMEngine read every checkpoint that a user can name without running what is in it."""
    CheckpointLoader.register_scheme(_PLACES, load_from_guarded, force=True)
    CheckpointLoader.register_scheme(_STORES, load_from_store, force=True)


def load_from_guarded(filename: str,
                      map_location: Union[str, torch.device, Callable, None] = None) -> dict:
    """MMEngine's checkpoint loader for files and http(s) addresses.

    Args:
        filename: Path or URL of a ``.pth`` or ``.safetensors`` file.
        map_location: See ``torch.load``; None: the CPU.

    Returns:
        dict: What the file holds, with all that resuming needs: weights, optimizer, schedulers, log
        histories, epoch and iteration. ``meta['config']`` is left out: MMEngine runs that text as
        Python when it resumes.

    Raises:
        ConnectionError, FileNotFoundError, ValueError: See :func:`read_checkpoint`; if a weight is
            not finite.
    """
    content = read_checkpoint(filename, trusts_pickle(), map_location)
    if isinstance(content, dict):
        weights = content.get('state_dict', content)
        if isinstance(weights, dict):
            check_finite(weights, filename)
        if isinstance(content.get('meta'), dict):
            content['meta'].pop('config', None)
    return content


def load_from_store(filename: str,
                    map_location: Union[str, torch.device, Callable, None] = None) -> dict:
    """The same for the object stores that MMEngine knows."""
    with get_local_path(filename) as path:
        return load_from_guarded(str(path), map_location)
