# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Releases of the data sets to the annotation table; the commands are in
``tools/dataset_converters``."""

from .base import ConversionError, Options
from .bp4d import convert_bp4d
from .bp4dplus import convert_bp4dplus
from .csv_table import Mapping, convert_csv_table
from .disfa import convert_disfa
from .fmae_json import json_to_table, table_to_json

__all__ = ['ConversionError', 'Mapping', 'Options', 'convert_bp4d',
           'convert_bp4dplus', 'convert_csv_table', 'convert_disfa',
           'json_to_table', 'table_to_json']
