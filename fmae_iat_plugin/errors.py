# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How a command says that it cannot go on."""

import sys


def say_error(error: Exception) -> int:
    """Write the message as one line to stderr; returns the exit code, 2."""
    sys.stderr.write(f'error: {" ".join(str(error).split())}\n')
    return 2
