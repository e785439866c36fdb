# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Recovered regions, predicted flow and AU relation of an RTATL model; see docs/en/rtatl.md."""

import sys

from fmae_iat_plugin.experiments.rtatl_pictures import main

if __name__ == '__main__':
    sys.exit(main())
