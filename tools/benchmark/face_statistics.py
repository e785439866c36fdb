# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Proportions and brightness of faces, photos beside renders; docs/en/default_model.md.

    python tools/benchmark/face_statistics.py FOLDER [FOLDER ...] --rendered 100 [--aus 4=4 7=3]
"""

import sys

from fmae_iat_plugin.experiments.face_statistics import main

if __name__ == '__main__':
    sys.exit(main())
