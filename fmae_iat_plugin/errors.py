# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How a command says that it cannot go on."""

import argparse
import sys
from contextlib import contextmanager
from typing import Iterator, Tuple, Type


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


@contextmanager
def ends_in_words(*errors: Type[Exception]) -> Iterator[None]:
    """Around the work of a command: an error that a user can do something about is one line.

    A full disk, a folder that may not be written and other errors of the system are among them.
    The exit code is then 1; it is 130 for Ctrl-C.

    Args:
        errors: The package's own, beside OSError.
    """
    expected: Tuple[Type[Exception], ...] = (*errors, OSError)
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write('stopped. The same command goes on from here.\n')
        sys.exit(130)
    except expected as error:
        sys.exit(f'error: {" ".join(str(error).split())}')
