# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Small pictures in files of all kinds, dealt to the emulated sources, and the truth about each."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.synthfacs.releases.face9m_kinds import ODD, PLAIN
from fmae_iat_plugin.synthfacs.releases.face9m_sources import SOURCES, write_face9m_sources

MAX_ASPECT = 1.5


def detailed(seed, width=64, height=64):
    """A picture with detail at every scale, as photos have: the amplitudes are 1/frequency."""
    generator = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    image = np.stack([np.fft.irfft2(np.fft.rfft2(generator.normal(size=(height, width)))
                                    / frequency, (height, width)) for _ in range(3)], axis=2)
    image = .7 * image.mean(axis=2, keepdims=True) + .3 * image
    return Image.fromarray(np.uint8(np.clip(127 + 45 * image / image.std(), 0, 255)))


@pytest.fixture(scope='session')
def picture():
    return detailed


@pytest.fixture(scope='session')
def jpeg():
    """Function (image, quality): bytes of a JPEG file."""
    def make(image, quality=92, **options):
        buffer = io.BytesIO()
        image.save(buffer, 'JPEG', quality=quality, **options)
        return buffer.getvalue()
    return make


@pytest.fixture(scope='session')
def collection(tmp_path_factory):
    """``root``, ``placed`` (where each image is) and ``made`` (what each is)."""
    kinds, made = [*ODD, *PLAIN] * 3, []
    for number, kind in enumerate(kinds):
        made.append({**PLAIN, **ODD}[kind][1](detailed(number % len({**PLAIN, **ODD})),
                                                 np.random.default_rng(number)))
    suffixes = [{**PLAIN, **ODD}[kind][0] for kind in kinds]
    root = tmp_path_factory.mktemp('collection')
    placed = write_face9m_sources(root, [(s, m.data) for s, m in zip(suffixes, made)])
    return SimpleNamespace(root=root, placed=placed, made=made, sources=SOURCES)


def ends(made):
    """By which rule of the paper a file is left out; '' = it stays."""
    if made.size is None:
        return 'unreadable'
    return 'aspect ratio' if max(made.size) > MAX_ASPECT * min(made.size) else ''


@pytest.fixture(scope='session')
def rule():
    return ends
