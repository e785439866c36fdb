# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How a command says that it cannot go on."""

import argparse
import sys
from contextlib import contextmanager
from typing import Callable, Iterator, Tuple, Type

#: said after Ctrl-C
STOPPED = 'Stopped. Give the same command again to continue.\n'


def path_argument(text: str) -> str:
    """Type of a path on the command line; an empty path would mean the current folder.

    Raises:
        argparse.ArgumentTypeError: If it is empty.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError('the path is empty. Remedy: give a path; perhaps a '
                                         'variable of the shell is not set')
    return text


def say_error(error: Exception) -> int:
    """Write the message as one line to stderr; returns the exit code, 2."""
    sys.stderr.write(f'error: {" ".join(str(error).split())}\n')
    return 2


def exit_code(work: Callable[[], int], *errors: Type[Exception]) -> int:
    """The exit code of a command: that of its work; 2 after an expected error, 130 after Ctrl-C.

    Args:
        work: Returns an exit code.
        errors: Classes of errors that the user can mend, in addition to OSError.
    """
    expected: Tuple[Type[Exception], ...] = (*errors, OSError)
    try:
        return work()
    except expected as error:
        return say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write(STOPPED)
        return 130


@contextmanager
def ends_in_words(*errors: Type[Exception]) -> Iterator[None]:
    """Runs the work of a command; an error that the user can mend becomes one line on stderr.

    Errors of the system, such as a full disk or a folder without write permission, are included.
    The exit code is then 1; after Ctrl-C it is 130.

    Args:
        errors: Classes of errors of the package, in addition to OSError.
    """
    expected: Tuple[Type[Exception], ...] = (*errors, OSError)
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(STOPPED)
        sys.exit(130)
    except expected as error:
        sys.exit(f'error: {" ".join(str(error).split())}')
