# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A web page for this machine alone: action units of images, videos, a camera; docs/en/web.md."""

import sys

from fmae_iat_plugin.web.page import main

if __name__ == '__main__':
    sys.exit(main())
