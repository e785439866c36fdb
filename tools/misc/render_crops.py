# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Render the faces of the default model; see docs/en/default_model.md."""

import os
import sys

for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ.setdefault(_name, '1')  # one process a core

from fmae_iat_plugin.experiments.rendered_crops import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main())
