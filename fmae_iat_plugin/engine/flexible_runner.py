# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The runner of trainings that a strategy spreads over processes: FSDP, DeepSpeed."""

from mmengine.config import Config
from mmengine.runner import FlexibleRunner
from mmpretrain.registry import RUNNERS

from .runner import derive_sizes


@RUNNERS.register_module()
class SafeFlexibleRunner(FlexibleRunner):
    """MMEngine's ``FlexibleRunner``, which resumes the newest *intact* checkpoint.

    ``runner_type = 'mmpretrain.SafeFlexibleRunner'`` and ``strategy`` in a config. MMEngine's loads
    before any hook is asked, so the choice of ``SafeCheckpointHook`` would come too late.
    """

    asks_before_loading = True

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'SafeFlexibleRunner':
        """Build a runner; sizes that the config leaves out are those of the data."""
        return super().from_cfg(derive_sizes(cfg))

    def load_or_resume(self) -> None:
        """Ask the hooks first."""
        if not self._has_loaded:
            self.call_hook('choose_checkpoint')  # an event of this plugin
        super().load_or_resume()
