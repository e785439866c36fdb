# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Small hand-made releases: every picture carries its frame number in its grey value."""

import csv
from pathlib import Path

import cv2
import numpy as np

from fmae_iat_plugin.datasets.annotation import read_annotation


def grey(number: int) -> np.ndarray:
    """A 32x48 picture of the grey value 10 * number."""
    return np.full((32, 48, 3), 10 * number % 256, dtype=np.uint8)


def number_in(path: Path) -> int:
    """The frame number that a picture carries."""
    return round(float(cv2.imread(str(path)).mean()) / 10)


def write_picture(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), grey(number))


def write_video(path: Path, frames: int, first: int = 1) -> None:
    """A video whose frame i (from 1) carries first + i - 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (48, 32))
    for number in range(first, first + frames):
        writer.write(grey(number))
    writer.release()


def _pictures(data: bytes) -> list:
    """Where the JPEG pictures of a video start; 8 bytes of name and length stand before each."""
    return [i for i in range(len(data) - 1) if data[i:i + 2] == b'\xff\xd8']


def cut_off(data: bytes, picture: int) -> bytes:
    """The video up to the middle of a picture (from 1)."""
    start, end = _pictures(data)[picture - 1:picture + 1]
    return data[:(start + end) // 2]


def lose(data: bytes, picture: int) -> bytes:
    """The video with one picture (from 1) and its name overwritten by zeros."""
    start, end = (place - 8 for place in _pictures(data)[picture - 1:picture + 1])
    return data[:start] + bytes(end - start) + data[end:]


def write_text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')
    return path


class Result:
    """What a conversion left in a folder."""

    def __init__(self, out: Path):
        self.out = out
        self.table = read_annotation(out / 'annotation.csv')
        with open(out / 'skipped.csv', newline='') as file:
            self.skipped = list(csv.DictReader(file))

    def rows(self, *aus):
        """(subject, sequence, frame, labels...) with None = not coded."""
        labels = self.table.select(aus)
        head = self.table.frame[['subject', 'sequence', 'frame']].to_numpy()
        return [(*map(str, h), *(None if np.isnan(v) else float(v) for v in row))
                for h, row in zip(head, labels)]

    def pictured(self):
        """Frame numbers that the pictures themselves carry, in the order of the table."""
        return [number_in(self.out / 'images' / image) for image in self.table.images]

    def reasons(self):
        return [(s['reason'], s['item'], Path(s['file']).name, s['line']) for s in self.skipped]
