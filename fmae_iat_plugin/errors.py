# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How a command says that it cannot go on."""

import argparse
import sys


def path_argument(text: str) -> str:
    """Type of a path on the command line: an empty one would be the current folder.

    Raises:
        argparse.ArgumentTypeError: If it is empty.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError('the path is empty. Remedy: a path; a variable of the '
                                         'shell may be unset')
    return text


def say_error(error: Exception) -> int:
    """Write the message as one line to stderr; returns the exit code, 2."""
    sys.stderr.write(f'error: {" ".join(str(error).split())}\n')
    return 2
