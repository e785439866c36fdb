# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How several adversaries played, and what they did over a sweep; see docs/en/iat.md."""

import sys

from fmae_iat_plugin.experiments.adversary_pictures import main

if __name__ == '__main__':
    sys.exit(main())
