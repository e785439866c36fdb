# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What a training step of a config costs, and the hours of the whole training; reproduce.md."""

import sys

from fmae_iat_plugin.experiments.training_step import main

if __name__ == '__main__':
    sys.exit(main())
