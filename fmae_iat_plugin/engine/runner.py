# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Sizes that a config leaves out are taken from its data: action units and subjects."""

from copy import deepcopy

from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, RUNNERS


def derive_sizes(cfg: Config) -> Config:
    """Fill in the sizes of the heads that a config leaves out.

    ``model.head.num_classes`` is the number of action units of the data set,
    ``model.intensity_head.num_classes`` that of those with intensities, and
    ``model.adversary.head.num_subjects`` the number of its subjects, those of the test fold
    included. What the config says is kept; :class:`CheckSetupHook` compares it with the data.

    Args:
        cfg: Any config; it is not changed.

    Returns:
        Config: The config itself if nothing is missing, else a copy with the numbers.

    Raises:
        FileNotFoundError, ValueError: If the data set that is needed cannot be read; the message
            is that of the data set.
    """
    head, adversary = cfg.model.get('head') or {}, cfg.model.get('adversary') or {}
    wanted = [(part, key, field) for part, kind, key, field in (
        (head, 'AUHead', 'num_classes', 'aus'),
        (cfg.model.get('intensity_head') or {}, 'AUIntensityHead', 'num_classes',
         'intensity_aus'),
        (adversary.get('head') or {}, 'LinearIdentityHead', 'num_subjects', 'subjects'))
        if part.get('type') == kind and part.get(key) is None]
    if not wanted:
        return cfg
    loader = cfg.get('train_dataloader') or cfg.get('test_dataloader')
    known = DATASETS.build({**loader.dataset, 'lazy_init': True}).metainfo
    cfg = deepcopy(cfg)
    adversary = cfg.model.get('adversary') or {}
    parts = dict(aus=cfg.model.get('head'), subjects=adversary.get('head'),
                 intensity_aus=cfg.model.get('intensity_head'))
    for _, key, field in wanted:
        parts[field][key] = len(known[field])
    return cfg


@RUNNERS.register_module()
class ActionUnitRunner(Runner):
    """MMEngine's runner, which takes sizes that the config leaves out from the data.

    ``runner_type = 'mmpretrain.ActionUnitRunner'`` in a config is all that is needed.
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'ActionUnitRunner':
        """Build a runner; the config that it dumps holds the numbers. See :func:`derive_sizes`."""
        return super().from_cfg(derive_sizes(cfg))


def build_runner(cfg: Config) -> Runner:
    """The runner that a config asks for (``runner_type``), or MMEngine's, as the tools do.

    MMEngine names the logs of a run by its config and the second in which it begins, and gives
    runs of one name in one process the same. So what is known by name is forgotten first; an
    earlier runner keeps its own.
    """
    MessageHub._instance_dict.clear()
    return MMENGINE_RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
