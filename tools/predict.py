# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Predict the action units of images and videos; see docs/en/inference.md."""

import os
import sys

# an exported model needs no PyTorch, so it is not imported before a config asks for it
os.environ.setdefault('FMAE_IAT_PLUGIN_LIGHT', '1')

from fmae_iat_plugin.inference.predict import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main())
