# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Trains several configs, one after the other, in the processes that torchrun started."""

import sys

from mmengine.config import Config
from mmengine.runner import Runner

from fmae_iat_plugin.engine.launch import cpu_process_group

if __name__ == '__main__':
    with cpu_process_group('pytorch'):
        for path in sys.argv[1:]:
            Runner.from_cfg(Config.fromfile(path)).train()
