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
def exit_in_words(errors: Tuple[Type[BaseException], ...]) -> Iterator[None]:
    """End the process in words, by ``sys.exit``: 1 for an error, 130 for Ctrl-C.

    Args:
        errors: What is an error with a message of its own; any other is a fault and keeps its
            traceback.
    """
    try:
        yield
    except errors as error:
        sys.exit(f'error: {" ".join(str(error).split())}')
    except KeyboardInterrupt:
        sys.stderr.write('stopped. The same command goes on from here.\n')
        sys.exit(130)
