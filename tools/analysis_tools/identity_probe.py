# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Does a checkpoint's feature know who people are? See docs/en/evidence.md."""

import sys

from fmae_iat_plugin.experiments.probe import main

if __name__ == '__main__':
    sys.exit(main())
