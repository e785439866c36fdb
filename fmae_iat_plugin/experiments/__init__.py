# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Experiments: cross-validation, identity probes, tables, the report, the quickstart."""

import fmae_iat_plugin.full  # noqa: F401  training needs the stack
