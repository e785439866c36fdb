# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Heat maps of action units on the faces of an image; see docs/en/inference.md."""

import sys

from fmae_iat_plugin.inference.au_cam import main

if __name__ == '__main__':
    sys.exit(main())
