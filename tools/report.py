# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""One page of evidence from the runs of cross_validate.py; see docs/en/evidence.md."""

import sys

from fmae_iat_plugin.experiments.report import main

if __name__ == '__main__':
    sys.exit(main())
