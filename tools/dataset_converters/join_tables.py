# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Join annotation tables; the folds leave one data set out. See docs/en/evidence.md."""

import sys

from fmae_iat_plugin.converters.join_tables import main

if __name__ == '__main__':
    sys.exit(main())
