# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Kill trainings at pseudo-random moments, resume them, compare the weights; reproduce.md."""

import sys

from fmae_iat_plugin.experiments.kill_resume import main

if __name__ == '__main__':
    sys.exit(main())
