# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files behind addresses, fetched once: each address and each version of it has a file of its own.

The last part of an address tells nothing: every repository of a hub calls its weights
``model.safetensors``. Nor does the address alone, where a file is replaced by another: a server
that gives an ETag is asked whether it still is the same one.
"""

import hashlib
import json
import os
import shutil
from http.client import HTTPException
from pathlib import Path
from typing import Optional
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from mmengine.logging import MMLogger

from fmae_iat_plugin.files import whole_file, write_whole

_TIMEOUT = 60.  # seconds to wait for an answer, and between two pieces of data


def cached(url: str) -> Path:
    """The file of an address in ``torch.hub``'s cache; downloaded if it is not there, or changed.

    Where the server does not answer, the file that is there is used, and the log says so.
    Processes that fetch an address at the same time do not disturb each other.

    Args:
        url: http or https.

    Raises:
        ConnectionError: If it is not in the cache and cannot be had, or only in part.
        OSError: If the cache cannot be written.
    """
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    note = folder / f'{key}.json'
    known = json.loads(note.read_text(encoding='utf-8')) if note.is_file() else {}
    path = folder / known['file'] if known.get('url') == url else None
    if path is not None and not path.is_file():
        path = None
    if path is not None and not known.get('etag'):
        return path
    request = Request(url, headers={'User-Agent': 'fmae_iat_plugin'})
    if path is not None:
        request.add_header('If-None-Match', known['etag'])
    try:
        with urlopen(request, timeout=_TIMEOUT) as answer:
            etag = answer.headers.get('ETag')
            version = f'-{hashlib.sha256(etag.encode()).hexdigest()[:8]}' if etag else ''
            name = os.path.basename(urlparse(url).path)[-80:]
            fetched = folder / f'{key}{version}-{name}'
            _receive(answer, fetched)
    except HTTPError as error:
        if path is None:
            raise ConnectionError(f'cannot download {url}: the server answers {error.code} '
                                  f'{error.reason}') from error
        if error.code != 304:
            _stale(url, path, f'the server answers {error.code} {error.reason}')
        return path
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        if path is None:
            raise ConnectionError(f'cannot download {url}: {error}') from error
        _stale(url, path, str(error))
        return path
    write_whole(note, json.dumps(dict(url=url, etag=etag, file=fetched.name)).encode())
    return fetched


def _receive(answer, path: Path) -> None:
    """Write the body; a body that is shorter than announced counts as broken off."""
    announced: Optional[str] = answer.headers.get('Content-Length')
    with whole_file(path) as partial:
        with open(partial, 'wb') as file:
            shutil.copyfileobj(answer, file, 2**20)
        size = partial.stat().st_size
        if announced is not None and size != int(announced):
            raise ConnectionError(f'broken off after {size} of {announced} bytes')


def _stale(url: str, path: Path, reason: str) -> None:
    MMLogger.get_current_instance().warning(
        '%s: nobody says whether %s is still the file of this address (%s); it is used.',
        url, path, reason)
