# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Packages that not everybody needs: the extras of requirements/."""

from contextlib import contextmanager
from typing import Iterator, Type


@contextmanager
def needs_extra(extra: str, what: str, otherwise: str = '',
                error: Type[Exception] = ImportError) -> Iterator[None]:
    """Around imports of packages of an extra: what to do where one is missing.

    Args:
        extra: Name of the extra, e.g. ``'analysis'``.
        what: What needs it, e.g. ``'heat maps'``.
        otherwise: Another remedy.
        error: What is raised.

    Raises:
        ImportError: Or ``error``, if an import fails.
    """
    try:
        yield
    except ImportError as missing:
        also = otherwise and f', or {otherwise}'
        raise error(f"{what}: {missing}. Remedy: pip install 'fmae_iat_plugin[{extra}]'{also}."
                    ) from missing
