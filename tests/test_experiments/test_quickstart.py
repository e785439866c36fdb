# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The quickstart in small: its report holds what the runs did, also after an interruption."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from fmae_iat_plugin.experiments.quickstart import BASE, OURS, Quickstart
from fmae_iat_plugin.experiments.report import main
from fmae_iat_plugin.experiments.run_features import read_features
from fmae_iat_plugin.synthfacs import read_population

pytestmark = pytest.mark.slow

pytest.importorskip('jinja2', reason="needs the extra 'analysis'")

COMMON = {
    'train_cfg.max_epochs': 2, 'param_scheduler.warmup_epochs': 1,
    'train_dataloader.batch_size': 16, 'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False, 'model.backbone.arch.embed_dims': 24,
    'model.backbone.arch.num_layers': 1, 'model.backbone.arch.num_heads': 2,
    'model.backbone.arch.feedforward_channels': 48}
SMALL = dict(
    faces=dict(subjects=6, frames=16, size=64), probe_frames=(10, 6), seed=3,
    options={'pretrain': {**COMMON, 'model.neck.embed_dim': 24, 'model.neck.decoder_embed_dim': 16},
             BASE: {**COMMON, 'model.head.in_channels': 24},
             OURS: {**COMMON, 'model.head.in_channels': 24,
                    'model.adversary.head.in_channels': 24}})


class Stopped(Quickstart):
    """Stops before the second model is trained, as a user's Ctrl-C does."""

    def fine_tune(self, name):
        if name == OURS:
            raise KeyboardInterrupt
        return super().fine_tune(name)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    start = Quickstart(tmp_path_factory.mktemp('whole'), **SMALL)
    return start, start.run()


def without_time(path):
    report = json.loads((path.parent / 'report.json').read_text())
    report['setup'].pop('CPU time before the report')
    report.pop('configs')  # lines break where the path is long
    for block in report['experiments'].values():
        block.pop('cost')
    text = json.dumps(report).replace(str(path.parent), 'WORK')
    return json.loads(text)


def test_the_report_holds_the_scores_of_the_predictions(whole):
    start, page = whole
    report = json.loads((start.work / 'report.json').read_text())
    people = read_population(start.work / 'faces')
    for name in (BASE, OURS):
        saved = np.load(start.work / name.lower() / 'predictions.npz')
        block = report['experiments'][name]
        for column, au in enumerate(saved['classes']):
            truth = saved['labels'][:, column] > 0.5
            expected = 100 * f1_score(truth, saved['scores'][:, column] >= 0.5) \
                if truth.any() else None
            assert block['f1']['aus'][str(au)] == pytest.approx(expected, abs=1e-3)
        assert all(people.is_test(int(k)) for k in saved['subject'])
        assert block['probe']['random']['chance'] == pytest.approx(100 / 6)
        assert block['probe']['random']['people'] == block['probe']['sequences']['people'] == 6
        assert report['curves']['f1/mean'][name][0] == [2]  # tested every second epoch
    assert report['experiments'][OURS]['setting']['scale'] == 2
    assert [row['name'] for row in report['ablations']['lambda']] == [BASE, OURS]
    assert all((start.work / sample['path']).is_file() for sample in report['samples'])
    for name in ('report.json', 'report.html'):  # nothing of the machine that made it
        assert str(start.work) not in (start.work / name).read_text(encoding='utf-8')


def test_features_are_of_all_frames_of_the_last_epoch(whole):
    start, _ = whole
    found = read_features(start.runs()[OURS][0].features)
    people = read_population(start.work / 'faces')
    assert len(found.paths) == people.subjects * people.frames
    assert found.names == people.names and set(found.sequences) == {'T1', 'T2', 'T3', 'T4'}
    for path, subject, sequence in zip(found.paths, found.subjects, found.sequences):
        assert people.parse(path)[0] == subject and Path(path).parent.name == sequence


def test_the_report_tool_makes_the_same_numbers_of_the_folder(whole):
    start, page = whole
    beside = start.work / 'again.html'  # paths are relative to the folder of the page
    assert main([str(start.work), '-o', str(beside), '--probe-frames', '10', '6',
                 '--seed', '3', '--workers', '1']) == 0
    again, first = (json.loads(path.with_suffix('.json').read_text()) for path in (beside, page))
    texts = ('title', 'summary', 'caveat', 'setup')
    assert {key: again[key] for key in again if key not in texts} == {
        key: first[key] for key in first if key not in texts}


def test_the_page_needs_nothing_else(whole):
    _, page = whole
    html = page.read_text(encoding='utf-8')
    assert '<script' not in html and 'src="http' not in html and 'href="http' not in html
    assert html.count('src="data:image/jpeg;base64,') == 8  # a picture a sample
    # two t-SNE, 2 by epoch, 3 of scores, lambda, 3 of the adversary
    assert html.count('<svg') == 11
    for text in (BASE, OURS, 'Lip corner puller', 'chance'):
        assert text in html


def test_interrupted_and_run_again_it_ends_with_the_same_report(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Stopped(tmp_path, **SMALL).run()
    done = [next((tmp_path / 'faces').rglob('*.png')), tmp_path / 'pretrain' / 'epoch_2.pth',
            *tmp_path.glob('*/cost.json'), tmp_path / BASE.lower() / 'predictions.npz']
    assert len(done) == 6 and not (tmp_path / OURS.lower() / 'predictions.npz').exists()
    before = [path.stat().st_mtime_ns for path in done]
    page = Quickstart(tmp_path, **SMALL).run()
    assert [path.stat().st_mtime_ns for path in done] == before
    assert without_time(page) == without_time(whole[1])


def test_a_folder_of_another_seed_is_refused(whole):
    with pytest.raises(ValueError, match='quickstart made with other .*seed: 3 there, 4 asked'):
        Quickstart(whole[0].work, **{**SMALL, 'seed': 4}).run()


def test_both_models_differ_in_the_adversary_alone(tmp_path):
    start = Quickstart(tmp_path)
    plain, ours = start.config(BASE).to_dict(), start.config(OURS).to_dict()
    assert plain['model'].pop('adversary') is None
    adversary = ours['model'].pop('adversary')
    assert adversary['neck']['type'] == 'GradReverse' and adversary['neck']['scale'] == 2
    assert adversary['head']['num_subjects'] == start.faces['subjects']
    for cfg in (plain, ours):
        cfg.pop('work_dir')
    assert plain == ours
