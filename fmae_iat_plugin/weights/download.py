# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Downloads a file, from a web server or Google Drive, so that it is whole and right or not there.

gdown does the transfer: it goes on where an interrupted one stopped (``Range``, ``If-Range``),
follows Google Drive's pages, and draws a bar with the time left.
"""

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

    What was received of an interrupted download stays beside ``target`` under a hidden name that
    ends with ``.part``, and the next call goes on from there.

    Args:
        url: http or https; Google Drive's links are understood.
        target: Gets this name when it is complete and its checksum was compared.
        sha256: 64 hexadecimal digits, compared in any case; None: nothing is known of the file.
        retries: After a broken connection, before giving up.
        timeout: Seconds to wait for an answer, and between two pieces of data.

    Raises:
        ConnectionError: If it cannot be had, or only in part.
        ImportError: If gdown is not installed.
        ValueError: If the checksum is another; nothing is left then. If ``sha256`` is none.
    """
    if sha256 is not None and not re.fullmatch('[0-9a-fA-F]{64}', sha256):
        raise ValueError(f'{sha256!r} is no SHA-256. Remedy: 64 hexadecimal digits')
    with needs_extra('zoo', 'downloads', 'fetch it with a browser and give it by --file FILE'):
        import gdown
        import requests
        from gdown.exceptions import DownloadError, FileURLRetrievalError
    target.parent.mkdir(parents=True, exist_ok=True)
    unchecked = target.with_name(f'.{target.name}.unchecked')
    by_hand = 'Remedy: fetch it with a browser and give it by --file FILE'
    try:
        with FileLock(target.with_name(f'.{target.name}.lock'), timeout=0):
            gdown.download(url, str(unchecked), resume=True, retries=retries, timeout=timeout,
                           use_cookies=False)
            found = file_sha256(unchecked)
            if sha256 is not None and found != sha256.lower():
                unchecked.unlink()
                raise ValueError(f'{url} gave a file with the SHA-256 {found} instead of {sha256}; '
                                 'it was removed. Remedy: download again; if it stays so, the file '
                                 'there has changed')
            os.replace(unchecked, target)
    except Timeout as error:
        raise ConnectionError(f'another process downloads {target} already') from error
    except FileURLRetrievalError as error:
        reason = ' '.join(str(error).split())
        raise ConnectionError(f'Google Drive does not give {url} to a program: {reason} {by_hand}'
                              ) from error
    except requests.HTTPError as error:
        answer = error.response
        raise ConnectionError(f'{url}: the server answers {answer.status_code} {answer.reason}. '
                              f'{by_hand}') from error
    except (DownloadError, requests.RequestException) as error:
        raise ConnectionError(
            f'{url}: {error} Remedy: the same command goes on where it stopped; to begin again '
            f'remove {unchecked}*.part') from error
    return found
