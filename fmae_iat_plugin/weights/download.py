# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Downloads a file from a web server or Google Drive; the file is complete and correct, or absent.

gdown does the transfer: it continues an interrupted one (``Range``, ``If-Range``), follows Google
Drive's pages, and draws a bar with the time left.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Optional

from filelock import FileLock, Timeout

from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.files import file_sha256


def fetch(url: str, target: Path, sha256: Optional[str] = None, retries: int = 4,
          timeout: float = 60.) -> str:
    """Download a file; returns its SHA-256.

    The part of an interrupted download that was received stays beside ``target`` under a hidden
    name that ends with ``.part``, and the next call continues from there.

    Args:
        url: Address, http or https; Google Drive's links are understood.
        target: Path of the file; it appears when the file is complete and its checksum compared.
        sha256: 64 hexadecimal digits in any case; None: the checksum is unknown.
        retries: Number of attempts after a broken connection.
        timeout: Seconds to wait for an answer, and between two pieces of data.

    Raises:
        ConnectionError: If the file cannot be fetched completely.
        ImportError: If gdown is not installed.
        ValueError: If ``sha256`` is not a checksum, or if the file has another one; the file is
            then removed.
    """
    check_sha256(sha256)
    with needs_extra('zoo', 'downloads', 'fetch it with a browser and name it with --file FILE'):
        import gdown
        import requests
        from gdown.exceptions import DownloadError, FileURLRetrievalError
    target.parent.mkdir(parents=True, exist_ok=True)
    origin = hashlib.sha256(url.encode()).hexdigest()[:8]  # what is resumed is the same address's
    unchecked = target.with_name(f'.{target.name}.{origin}.unchecked')
    by_hand = 'Remedy: fetch it with a browser and name it with --file FILE'
    try:
        with FileLock(target.with_name(f'.{target.name}.lock'), timeout=0):
            gdown.download(url, str(unchecked), resume=True, retries=retries, timeout=timeout,
                           use_cookies=False)
            found = file_sha256(unchecked)
            if sha256 is not None and found != sha256.lower():
                unchecked.unlink()
                raise ValueError(f'{url} gave a file with the SHA-256 {found} instead of {sha256}; '
                                 'it was removed. Remedy: download again; if this repeats, the '
                                 'file there has changed')
            os.replace(unchecked, target)
    except Timeout as error:
        raise ConnectionError(f'another process is downloading {target}') from error
    except FileURLRetrievalError as error:
        reason = ' '.join(str(error).split())
        raise ConnectionError(f'Google Drive refuses {url} to programs: {reason} {by_hand}'
                              ) from error
    except requests.HTTPError as error:
        answer = error.response
        raise ConnectionError(f'{url}: the server answers {answer.status_code} {answer.reason}. '
                              f'{by_hand}') from error
    except (DownloadError, requests.RequestException) as error:
        raise ConnectionError(
            f'{url}: {error} Remedy: give the same command again, which continues the download; to '
            f'start anew, remove {unchecked}*.part') from error
    return found


def check_sha256(sha256: Optional[str]) -> None:
    """Raises ValueError if it is none; None passes."""
    if sha256 is not None and not re.fullmatch('[0-9a-fA-F]{64}', sha256):
        raise ValueError(f'{sha256!r} is not a SHA-256. Remedy: give 64 hexadecimal digits')
