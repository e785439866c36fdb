# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Tables of cross-validated experiments beside the published ones; see docs/en/evidence.md."""

import sys

from fmae_iat_plugin.experiments.compare import main

if __name__ == '__main__':
    sys.exit(main())
