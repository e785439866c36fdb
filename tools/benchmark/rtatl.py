# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RTATL's tasks one by one on rendered faces, with few and all labels; docs/en/rtatl_runs.md."""

import sys

from fmae_iat_plugin.experiments.rtatl_ablation import main

if __name__ == '__main__':
    sys.exit(main())
