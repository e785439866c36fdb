# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""References for an adversary: refitted heads with and without LEACE; see docs/en/iat.md."""

import sys

from fmae_iat_plugin.experiments.references import main

if __name__ == '__main__':
    sys.exit(main())
