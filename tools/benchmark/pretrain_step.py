# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Steps of FMAE's pretraining, ours beside the authors' way: images a second; benchmarks.md."""

import sys

from fmae_iat_plugin.experiments.step_speed import pretrain

if __name__ == '__main__':
    sys.exit(pretrain())
