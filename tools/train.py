# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Train a config, with MMPretrain's options (`--help` lists them); also on several CPUs."""

from fmae_iat_plugin.engine.launch import run_mmpretrain_tool

if __name__ == '__main__':
    run_mmpretrain_tool('train.py')
