# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Train and test all folds and seeds of experiments; see docs/en/evidence.md."""

import sys

from fmae_iat_plugin.experiments.cross_validation import main

if __name__ == '__main__':
    sys.exit(main())
