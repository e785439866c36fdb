# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Where the pictures of each sequence are: image folders and videos below a release."""

import os
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from fmae_iat_plugin.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES, walk
from fmae_iat_plugin.skipped import Skip

from .base import AMBIGUOUS_SOURCE


class Source(NamedTuple):
    """``kind`` ``'images'`` (a folder) or ``'videos'`` (one file), and its path."""

    kind: str
    path: Path


def find_sources(root: Path, folder_key: Callable, video_key: Callable,
                 without: Optional[Path] = None) -> Dict[tuple, List[Source]]:
    """Image folders and videos below ``root`` by sequence; symbolic links are followed.

    Args:
        root: Folder to search.
        folder_key: Parts of a folder's path (tuple of str) -> the sequence's key, or None.
        video_key: The same for the parts of a video's path.
        without: Folder that is not entered (the output).

    Returns:
        dict: Key -> sources, sorted by path.
    """
    found: Dict[tuple, List[Source]] = {}
    for folder, _, names in walk(root, without):
        parts = Path(folder).relative_to(root).parts
        suffixes = {os.path.splitext(name)[1].lower() for name in names}
        key = folder_key(parts)
        if key is not None and suffixes & set(IMAGE_SUFFIXES):
            found.setdefault(key, []).append(Source('images', Path(folder)))
        for name in names:
            if os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES:
                key = video_key((*parts, name))
                if key is not None:
                    found.setdefault(key, []).append(Source('videos', Path(folder, name)))
    return found


def choose_source(sources: List[Source], wanted: str, name: str,
                  number: int) -> Tuple[Optional[Source], List[Skip]]:
    """The one source of a sequence.

    Args:
        sources: All that were found.
        wanted: ``'auto'``, ``'images'`` or ``'videos'``; auto takes the images if there are any.
        name: Sequence, for the list.
        number: Its labelled frames, for the list.

    Returns:
        tuple: The source, None if there is none or more than one; the skipped.
    """
    kinds = [wanted] if wanted != 'auto' else ['images', 'videos']
    for kind in kinds:
        candidates = [source for source in sources if source.kind == kind]
        if len(candidates) > 1:
            return None, [Skip(name, AMBIGUOUS_SOURCE, str(candidates[0].path), 0,
                               ', '.join(str(c.path) for c in candidates)
                               + '; choose one folder with --pictures', number)]
        if candidates:
            return candidates[0], []
    return None, []
