# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The notebook of the tutorial is its page, and runs from the photos to the report."""

import csv
import json
import os
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from sklearn.metrics import roc_auc_score

PAGE, NOTEBOOK = 'docs/en/tutorial.md', 'docs/en/tutorial.ipynb'


def cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_the_notebook_is_made_from_the_page(repo):
    """``jupytext --to ipynb docs/en/tutorial.md`` makes it anew."""
    page, notebook = (jupytext.read(repo / name) for name in (PAGE, NOTEBOOK))
    assert cells(notebook) == cells(page)
    assert sum(cell.cell_type == 'code' for cell in page.cells) == 8
    assert not any(cell.get('outputs') for cell in notebook.cells)


@pytest.fixture
def command(tmp_path_factory, monkeypatch, repo):
    """``fmae-iat`` as an installation has it, of this checkout."""
    folder = tmp_path_factory.mktemp('bin')
    script = folder / 'fmae-iat'
    script.write_text(f'#!{sys.executable}\nimport sys\nfrom fmae_iat_plugin.cli import main\n'
                      'sys.exit(main())\n')
    script.chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setenv('PYTHONPATH', str(repo))


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(repo, command, tmp_path):
    notebook = nbformat.read(repo / NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name='python3',
                   resources={'metadata': {'path': str(tmp_path)}}).execute()
    with open(tmp_path / 'labels.csv', newline='') as file:
        labels = {row[0]: row[1:] for row in csv.reader(file)}
    with open(tmp_path / 'data/own/annotation.csv', newline='') as file:
        table = {row['image']: row for row in csv.DictReader(file)}
    assert table.keys() == labels.keys() - {'file'} and len(table) == 108
    for image, row in table.items():
        assert [row[f'AU{au}'] for au in (1, 4, 12, 25)] == labels[image]
        assert row['subject'] == Path(image).parent.name and row['face'] == 'detected'
    report = json.loads((tmp_path / 'work_dirs/own/report.json').read_text())
    assert report['experiments'].keys() == {'own-fmae', 'own-iat'}
    for name, found in report['experiments'].items():
        kept = np.load(tmp_path / f'work_dirs/own/{name}/fold1_seed0/predictions.npz')
        aucs = [roc_auc_score(truth, score) for truth, score in zip(
            kept['labels'].T, kept['scores'].T)]
        assert found['auc']['mean'] == pytest.approx(100 * np.mean(aucs), abs=1e-6)
    assert {claim['verdict'] for claim in report['claims']} == {'not enough data'}
    row = notebook.cells[-2].outputs[-1]['data']['text/plain']
    assert "'AU12'" in row and "'success': True" in row
