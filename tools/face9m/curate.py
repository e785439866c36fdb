# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Curate collections of faces for pretraining; see docs/en/datasets/face9m.md."""

import os
import sys

for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ.setdefault(_name, '1')  # one process a core
os.environ.setdefault('FMAE_IAT_PLUGIN_LIGHT', '1')  # PyTorch is not needed

from fmae_iat_plugin.curation.command import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main())
