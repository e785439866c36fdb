# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Near-duplicates against a comparison of all with all, and hashes of pictures saved again."""

import io

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.curation.duplicates import find_duplicates, fingerprint, near_pairs


def flipped(hashes, generator, most):
    """Some bits of each are changed."""
    for row in hashes:
        for bit in generator.integers(256, size=generator.integers(most)):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return hashes


@pytest.fixture(scope='module')
def hashes():
    """300 variations of 40 hashes, and 80 that share most of their bits."""
    generator = np.random.default_rng(0)
    first = generator.integers(0, 2**64, (40, 4), dtype=np.uint64)
    many = first[:1].repeat(80, axis=0)
    many[:, 3] ^= np.arange(80, dtype=np.uint64)
    found = np.concatenate([many, flipped(first[generator.integers(0, 40, 300)], generator, 14)])
    return found[generator.permutation(len(found))]


@pytest.fixture(scope='module')
def distances(hashes):
    bits = np.unpackbits(hashes.view(np.uint8), axis=1)
    return (bits[:, None] != bits[None]).sum(axis=2)


@pytest.mark.parametrize('distance', [0, 1, 2, 3, 10, 31])
def test_all_pairs_are_found(hashes, distances, distance):
    wanted = np.argwhere(np.triu(distances <= distance, 1))
    assert np.array_equal(near_pairs(hashes, distance), wanted)


@pytest.mark.parametrize('distance', [0, 3, 10])
@pytest.mark.parametrize('kept, among', [(0, True), (30, True), (30, False)])
def test_the_first_stays_and_others_are_compared_with_what_stays(hashes, distances, distance, kept,
                                                                 among):
    stay, wanted = list(range(kept)), []
    for image in range(kept, len(hashes)):
        near = [other for other in (stay if among else range(kept))
                if distances[image, other] <= distance]
        if near:
            wanted.append((image, near[0], distances[image, near[0]]))
        else:
            stay.append(image)
    assert find_duplicates(hashes, distance, kept, among) == wanted
    assert not kept or any(original < kept for _, original, _ in wanted)


def test_without_images():
    assert find_duplicates(np.empty((0, 4), np.uint64), 10) == []


def test_hashes_of_pictures_saved_again_differ_in_few_bits(picture):
    """The hash is the sign of the 16 x 16 lowest frequencies, above or below their median."""
    from scipy.fft import dct
    own, again = [], []
    for seed in range(12):
        image, buffer = picture(seed, 224, 224), io.BytesIO()
        image.resize((170, 170)).save(buffer, 'JPEG', quality=60)
        smaller = Image.open(buffer).resize((224, 224))
        own.append(fingerprint(np.asarray(image)[..., ::-1]))
        again.append(fingerprint(np.asarray(smaller)[..., ::-1]))
        grey = np.asarray(image.convert('L').resize((64, 64), Image.Resampling.LANCZOS))
        low = dct(dct(grey.astype(float), axis=0), axis=1)[:16, :16]
        bits = np.unpackbits(own[-1].astype('>u8').view(np.uint8)).astype(bool)
        assert np.array_equal(bits.reshape(16, 16), low > np.median(low))
    bits = np.bitwise_count(np.array(own)[:, None] ^ np.array(again)[None]).sum(axis=2)
    assert np.diag(bits).max() <= 10 < 40 < bits[~np.eye(12, dtype=bool)].min()
