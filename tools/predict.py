# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Predict the action units of images and videos; see docs/en/inference.md."""

import sys

from fmae_iat_plugin.inference.predict import main

if __name__ == '__main__':
    sys.exit(main())
