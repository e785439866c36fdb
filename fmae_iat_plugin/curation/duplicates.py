# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Near-duplicates by perceptual hashes of 256 bits (library imagehash), exact at any number.

Hashes of one picture, saved smaller and at another quality, differ in a few bits; those of
different people in some 60 and more. Two hashes that differ in at most d bits agree in one of d + 1
groups of bits completely, so only hashes that share a group are compared.
"""

from typing import Iterator, List, Tuple

import numpy as np
from PIL import Image

from fmae_iat_plugin.extras import needs_extra

from .structures import CurationError

WORDS = 4   #: of 64 bits, in a hash
_SIDE = 16  # bits in a row of a hash
_ROWS = 2**22  # comparisons at a time
_MANY = 64  # hashes of one key, above which all are compared in blocks


def import_imagehash():
    """The library.

    Raises:
        CurationError: If it is not installed.
    """
    with needs_extra('face9m', 'near-duplicates', 'leave their rules out', CurationError):
        import imagehash
    return imagehash


def fingerprint(pixels: np.ndarray) -> np.ndarray:
    """Perceptual hash of an image (signs of its low frequencies), uint64 ``[4]``.

    Args:
        pixels: uint8 BGR ``[H, W, 3]``.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
    bits = import_imagehash().phash(image, hash_size=_SIDE).hash
    return np.packbits(bits.ravel()).view('>u8').astype(np.uint64)


def _groups(hashes: np.ndarray, distance: int) -> Iterator[np.ndarray]:
    """Keys ``[N]`` of each of the distance + 1 groups of bits."""
    edges = np.linspace(0, 64 * WORDS, distance + 2).astype(int)
    for first, end in zip(edges, edges[1:]):
        keys = np.zeros(len(hashes), np.uint64)
        for word in range(first // 64, (end - 1) // 64 + 1):
            low, high = max(first - 64 * word, 0), min(end - 64 * word, 64)
            part = hashes[:, word] >> np.uint64(64 - high) & np.uint64(2**(high - low) - 1)
            keys = part if high - low == 64 else keys << np.uint64(high - low) | part
        yield keys


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """All pairs of hashes that differ in at most so many bits.

    Args:
        hashes: uint64 ``[N, 4]``.
        distance: Bits, below 64.

    Returns:
        np.ndarray: int64 ``[P, 2]``, first < second, sorted and each once.
    """
    found = [np.empty((0, 2), np.int64)]
    for keys in _groups(hashes, distance):
        order = np.argsort(keys, kind='stable')
        ordered = keys[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sizes = np.diff(np.r_[starts, len(order)])
        for start, size in zip(starts[sizes > _MANY], sizes[sizes > _MANY]):
            found.append(_within(order[start:start + size], hashes, distance))
        few = np.repeat(sizes <= _MANY, sizes)
        for step in range(1, min(_MANY, sizes.max(initial=1))):  # neighbours with one key
            place = np.flatnonzero(few[step:] & (ordered[step:] == ordered[:-step]))
            pairs = np.stack([order[place], order[place + step]], axis=1)
            bits = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]).sum(axis=1)
            found.append(pairs[bits <= distance])
    return np.unique(np.concatenate(found), axis=0)


def _within(rows: np.ndarray, hashes: np.ndarray, distance: int) -> np.ndarray:
    """Pairs among some rows, which are sorted."""
    pairs, step = [], max(1, _ROWS // len(rows))
    for start in range(0, len(rows), step):
        first, second = np.nonzero(_distances(hashes[rows[start:start + step]],
                                              hashes[rows]) <= distance)
        later = second > first + start
        pairs.append(np.stack([rows[first[later] + start], rows[second[later]]], axis=1))
    return np.concatenate(pairs)


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Differing bits, ``[N, M]``."""
    total = np.zeros((len(one), len(other)), np.uint16)
    for word in range(WORDS):
        total += np.bitwise_count(one[:, None, word] ^ other[None, :, word])
    return total


def find_duplicates(hashes: np.ndarray, distance: int, kept: int = 0,
                    among: bool = True) -> List[Tuple[int, int, int]]:
    """Which images repeat an earlier one that stays.

    Args:
        hashes: uint64 ``[N, 4]``, in the order of the images.
        distance: Bits that may differ.
        kept: So many at the start stay whatever they are: those of a test set.
        among: Whether the others are compared with each other, or with those at the start only.

    Returns:
        list: (image, the one it repeats, differing bits), by image. An image that repeats several
        is listed with the first.
    """
    if not len(hashes):
        return []
    values, first, inverse = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # unique hashes in the order of their first images
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    values, first, inverse = values[order], first[order], rank[inverse.ravel()]
    repeats = {}  # unique hash -> the one it repeats
    for one, other in near_pairs(values, distance).tolist():
        if first[other] >= kept and one not in repeats and other not in repeats and (
                among or first[one] < kept):
            repeats[other] = one
    result = []
    for image in range(kept, len(hashes)):
        own = int(inverse[image])
        if own in repeats:
            original = int(first[repeats[own]])
        elif first[own] == image or not (among or first[own] < kept):
            continue
        else:
            original = int(first[own])
        bits = int(np.bitwise_count(hashes[image] ^ hashes[original]).sum())
        result.append((image, original, bits))
    return result
