# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Steps of fine-tuning with IAT, ours beside the authors' way: images a second; benchmarks.md."""

import sys

from fmae_iat_plugin.experiments.step_speed import finetune

if __name__ == '__main__':
    sys.exit(finetune())
