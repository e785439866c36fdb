# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""List the models, download the authors' weights, convert them; see docs/en/model_zoo.md."""

import sys

from fmae_iat_plugin.weights.model_zoo import main

if __name__ == '__main__':
    sys.exit(main())
