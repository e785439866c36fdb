# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Curation: raw collections of faces, as they are distributed, to shards that are ready to train.

The command is ``tools/face9m/curate.py``, the function :func:`.pipeline.curate`; see
docs/en/datasets/face9m.md.
"""
