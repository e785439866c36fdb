# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the tests share: where the repository and the real data are."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

import fmae_iat_plugin  # noqa: F401  registers the components

sys.path.insert(0, str(Path(__file__).parent))  # for the modules of fixtures beside this file

from file_server import file_server, google_drive  # noqa: E402, F401
from small_models import exported, tiny_onnx, write_weights  # noqa: E402, F401

settings.register_profile('fixed', derandomize=True)  # the same examples in every run
settings.load_profile('fixed')

REPO = Path(__file__).resolve().parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A child process that failed has its output in the report, not its exit status alone."""
    report = yield
    error = call.excinfo and call.excinfo.value
    if isinstance(error, subprocess.CalledProcessError):
        for name, text in (('stdout', error.stdout), ('stderr', error.stderr)):
            text = text.decode(errors='replace') if isinstance(text, bytes) else text or ''
            report.sections.append((f'{name} of the child process', text[-8000:]))
    return report


_ENVIRONMENT = dict(os.environ)


def _restore(environment):
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)


def pytest_collection_finish():
    """What the import of a test sets is not left to the tests."""
    _restore(_ENVIRONMENT)


@pytest.fixture(autouse=True)
def environment():
    """Tools set variables of their process, and must not set them for the tests that follow."""
    before = dict(os.environ)
    yield
    _restore(before)


@pytest.fixture(scope='session')
def repo() -> Path:
    return REPO


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The folder of real faces and labels; licensed, so never part of the repository."""
    folder = Path(os.environ.get('FMAE_REAL_DATA', REPO.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no real data: {folder} does not exist; set FMAE_REAL_DATA')
    return folder


@pytest.fixture
def torch_threads():
    """Function (number): PyTorch has so many threads during the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def small_files():
    """Context (bytes): inside it no file can be larger, as on a disk that is full.

    A context, because outside of it pytest writes its own report, perhaps to a larger file.
    """
    resource = pytest.importorskip('resource', reason='Windows has no such limit')

    @contextlib.contextmanager
    def limit(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture
def face_table(tmp_path):
    """Factory of a small data set: random images and an annotation table.

    ``face_table(rows, header='image,subject,AU1,AU2')``: rows are lines of the CSV; an image is
    written for the first field of each, unless ``images=False``. Returns the data root.
    """

    def make(rows, header='image,subject,AU1,AU2', images=True, size=16, name='annotation.csv'):
        generator = np.random.default_rng(0)
        (tmp_path / name).write_text('\n'.join([header, *rows]) + '\n')
        for row in rows if images else ():
            pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
            path = tmp_path / row.split(',')[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        return tmp_path

    return make
