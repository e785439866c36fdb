# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Train one model for each lambda on rendered faces, probe identity, pool over seeds."""

from fmae_iat_plugin.apis.lambda_sweep import main

if __name__ == '__main__':
    main()
