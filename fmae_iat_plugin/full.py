# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Imported first by rooms that cannot do without the stack: completes a light import.

Raises:
    ImportError: What is missing, and the command that installs it; see
        :func:`~fmae_iat_plugin.stack.check_stack`.
"""

from .stack import use_stack

use_stack()
