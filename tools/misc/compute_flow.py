# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Optical flow of the sequences of a table: DIS, RAFT or the renderer's; see docs/en/rtatl.md."""

import sys

from fmae_iat_plugin.faces.flow_files import main

if __name__ == '__main__':
    sys.exit(main())
