# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""68 landmarks of the images of a table, by dlib or the renderer; see docs/en/rtatl.md."""

import sys

from fmae_iat_plugin.faces.landmark_files import main

if __name__ == '__main__':
    sys.exit(main())
