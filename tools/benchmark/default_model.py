# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How good a model is on labelled photos, predicted as a user predicts them; docs/en/benchmarks.md.

    python tools/benchmark/default_model.py --real FOLDER [--model FILE.onnx] [--out scores.json]
"""

import os
import sys

# an exported model needs no PyTorch, so it is not imported before a config asks for it
os.environ.setdefault('FMAE_IAT_PLUGIN_LIGHT', '1')

from fmae_iat_plugin.inference.real_faces import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main())
