# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Find truncated and altered shards. Exit code 0: none, 1: problems, 2: usage.

    python tools/face9m/verify.py data/face9m_shards --workers all
    python tools/face9m/verify.py data/face9m_shards --write-index    the shards are good: note it
"""
import sys

from fmae_iat_plugin.datasets.verify_shards import main

if __name__ == '__main__':
    sys.exit(main())
