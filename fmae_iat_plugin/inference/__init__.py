# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Inference: action units of pictures and videos, their output files, export to ONNX."""
