# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Small independent readers of releases: nothing here calls the writers."""

import csv
import hashlib

import cv2
import pytest


@pytest.fixture(scope='session')
def read_csv():
    """Path -> list of dicts of strings."""
    def read(path):
        with open(path, newline='', encoding='utf-8') as file:
            return list(csv.DictReader(file))
    return read


@pytest.fixture(scope='session')
def decode():
    """Video -> list of BGR pictures, all that OpenCV decodes."""
    def read(path):
        capture, pictures = cv2.VideoCapture(str(path)), []
        while True:
            there, picture = capture.read()
            if not there:
                return pictures
            pictures.append(picture)
    return read


@pytest.fixture(scope='session')
def tree():
    """Folder -> path -> SHA-256 of every file in it."""
    def read(root):
        return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
                for p in sorted(root.rglob('*')) if p.is_file()}
    return read


@pytest.fixture(scope='session')
def au_cells():
    """Row of an annotation table -> AU number -> text of its cell."""
    def read(row):
        return {int(name[2:]): cell for name, cell in row.items() if name.startswith('AU')}
    return read
