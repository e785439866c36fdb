# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The report of constructed runs: every number is computed again, and the page shows no other.

``FMAE_REPORT=report.json FMAE_REPORT_RUNS=FOLDER`` computes those of a real report again as well.
"""

import copy
import html
import json
import math
import os
import re
import runpy
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from sklearn.metrics import f1_score

import fmae_iat_plugin.evaluation.verification as verification_module
from fmae_iat_plugin.action_units import ACTION_UNITS, parse_au
from fmae_iat_plugin.experiments import compare
from fmae_iat_plugin.experiments.report import choose, main, published_f1
from fmae_iat_plugin.experiments.report_claims import _rises

pytestmark = pytest.mark.slow

pytest.importorskip('jinja2', reason="needs the extra 'analysis'")
_TRUTH = runpy.run_path(str(Path(__file__).with_name('report_truth.py')))
Experiment, Probe, Stored, control_block, eer_block, fall, noise_floor, probe_block = (
    _TRUTH[name] for name in ('Experiment', 'Probe', 'Stored', 'control_block', 'eer_block', 'fall',
                              'noise_floor', 'probe_block'))

KINDS = ('paper', 'logistic', 'bits')
AUS, PEOPLE, FRAMES = ('AU1', 'AU2', 'AU12'), 10, 18
ARCH = dict(embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=48)
# experiment: (skill, strength of identity in the feature, places, changes of the config)
PLACES = [(fold, seed) for seed in (0, 1) for fold in (1, 2)]
EXPERIMENTS = {
    'fmae': (.8, 1.5, PLACES, {'model.adversary': None}),
    'iat': (1.3, .7, PLACES, {}),
    'iat-weak': (1., 1.2, [(1, 0), (1, 1)], {'model.adversary.neck.scale': .02}),
    'iat-strong': (1.1, .5, [(1, 0), (1, 1)], {'model.adversary.neck.scale': 2.}),
    'iat-head3': (1.2, .6, [(1, 0)], {'model.adversary.head.hidden_dims': (12, 6)}),
    'iat-ramp': (1.2, .6, [(1, 0)], {'custom_hooks': [dict(type='LambdaRampHook')]}),
    'fmae-large': (1., 1.5, [(1, 0), (2, 0)], {
        'model.adversary': None, 'model.backbone.arch.num_layers': 2}),
    'other': (1., 1., [(1, 0)], {'optim_wrapper.optimizer.lr': .5}),
}


def write_run(root, repo, name, fold, seed, number):
    """One run as cross_validate.py leaves it, of made-up predictions and features."""
    skill, identity, _, changes = EXPERIMENTS[name]
    rng = np.random.default_rng([number, fold, seed])
    data = np.random.default_rng(fold)
    place = root / name / f'fold{fold}_seed{seed}'
    (place / 'time' / 'vis_data').mkdir(parents=True)
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    cfg.custom_hooks = []
    cfg.merge_from_dict({f'model.backbone.arch.{key}': value for key, value in ARCH.items()})
    cfg.merge_from_dict({key: value for key, value in changes.items() if value is not None})
    if 'model.adversary' in changes:
        cfg.model.adversary = None
    else:
        cfg.model.adversary.neck.setdefault('scale', 1.)
    cfg.work_dir, cfg.randomness = str(place), dict(seed=seed)
    cfg.dump(place / 'config.py')
    (place / 'run.json').write_text(json.dumps(dict(
        experiment=name, config='config.py', fold=fold, seed=seed, work_dir='moved', options={},
        digest='x', versions={'torch': '2.10.0', 'numpy': '2.2'})))
    (place / 'cost.json').write_text(json.dumps(dict(
        seconds=30 + number, cpu_seconds=45. + 7 * seed, gpus='')))
    subjects = np.repeat(np.arange(5) + 5 * (fold - 1), FRAMES)
    labels = (data.random((len(subjects), len(AUS))) < .4).astype(np.float32)
    labels[data.random(labels.shape) < .1] = np.nan
    labels[subjects == 5 * (fold - 1), 0] = 0  # one person never shows AU1
    logits = np.where(labels == 1, skill, -skill) + rng.normal(0, 1.2, labels.shape)
    np.savez(place / 'predictions.npz', scores=(1 / (1 + np.exp(-logits))).astype(np.float32),
             labels=labels, subject=subjects, classes=np.array(AUS), thresholds=[.4, .5, .6],
             img_path=np.array([str(root.parent / f'faces/{fold}_{k:03d} & <b>.png')
                                for k in range(len(subjects))]),
             subjects=np.array([f'S{k}' for k in range(PEOPLE)]))
    who = np.repeat(np.arange(PEOPLE), FRAMES)[:-4]  # the last person has fewer
    centre = np.random.default_rng(0).normal(size=(PEOPLE, 8))
    np.savez(place / 'features.npz', subjects=who, paths=who.astype(str),
             features=(identity * centre[who] + rng.normal(size=(len(who), 8))).astype(np.float32),
             pixels=(.6 * centre[who] + rng.normal(size=(len(who), 8))).astype(np.float16),
             untrained=rng.normal(size=(len(who), 5)).astype(np.float32),
             sequences=np.array([f'T{k % 3}' for k in range(len(who))]),
             names=np.array([f'S{k}' for k in range(PEOPLE)]))
    lines = [dict(epoch=k, iter=k, loss_id=.5 / k + .01 * number) for k in (1, 2, 3)]
    lines += [dict(step=k, **{'f1/mean': 30. + 7 * k + number, 'paper/threshold': .3,
                              'paper/f1': 50. + (k * (seed + 2)) % 4 + number},
                   **{f'paper/{au}': 40. + k + fold for au in AUS}) for k in (1, 2, 3)]
    (place / 'time' / 'vis_data' / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))


@pytest.fixture(scope='module')
def made(tmp_path_factory, repo):
    root = tmp_path_factory.mktemp('evidence')
    for number, (name, (_, _, places, _)) in enumerate(EXPERIMENTS.items()):
        for fold, seed in places:
            write_run(root / 'runs', repo, name, fold, seed, number)
    (root / 'faces').mkdir()
    for fold in (1, 2):
        for k in range(5 * FRAMES):
            Image.new('RGB', (12, 9), (10, 20 * fold, k)).save(
                root / f'faces/{fold}_{k:03d} & <b>.png')
    page = root / 'report.html'
    patch = pytest.MonkeyPatch()
    patch.setattr(verification_module, '_EDGES', 20000)  # a threshold for each pair
    assert main([str(root / 'runs'), '-o', str(page), '--base', 'fmae', '--ours', 'iat',
                 '--workers', '1', '--probe-frames', '10', '5', '--sequence-frames', '6', '3',
                 '--title', 'Title <i>']) == 0
    patch.undo()
    return root / 'runs', page, json.loads(page.with_suffix('.json').read_text())


def truth(folder, report, frames, sequence_frames, seed=0):
    """What all numbers of the report must be."""
    runs = compare.collect([str(folder)])
    experiments = {name: Experiment(found) for name, found in runs.items()}
    base, ours = report['base'], report['ours']
    probes = {(name, run.fold, run.seed): Probe(run, frames, sequence_frames, seed)
              for name, found in experiments.items() for run in found.runs}

    def of(name, places=None):
        return [probe for (one, *place), probe in probes.items()
                if one == name and (places is None or tuple(place) in places)]

    out = dict(experiments={}, ablations={}, falls={
        split: {kind: fall(of(base), of(ours), split, kind)
                for kind in KINDS} for split in ('random', 'sequences')})
    for name, found in experiments.items():
        costs = [json.loads((run.dir / 'cost.json').read_text()) for run in found.runs]
        minutes = {key: [cost[field] / 60 for cost in costs]
                   for key, field in (('minutes', 'seconds'), ('cpu_minutes', 'cpu_seconds'))}
        purity = np.mean([probe.purity for probe in of(name)], axis=0)
        out['experiments'][name] = dict(
            folds=sorted({run.fold for run in found.runs}), seeds=found.seeds,
            runs=len(found.runs), f1=found.f1_block(seed), auc=found.auc_block(seed),
            trainings=len(found.seeds), over_seeds=found.over_seeds(),
            best_epochs=[run.best()[0] for run in found.runs], calibration=found.calibration(),
            probe={split: probe_block(of(name), split) for split in ('random', 'sequences')},
            purity=dict(mean=purity[0], chance=purity[1]), eer=eer_block(of(name)),
            cost={key: dict(mean=np.mean(v), most=max(v)) for key, v in minutes.items()})
    found = experiments[base]
    first = [run for run in found.runs if run.seed == found.seeds[0]]
    labels = np.concatenate([run.labels for run in first])
    out['data'] = dict(
        folds=[dict(fold=run.fold, people=len(set(run.who)), frames=len(run.who)) for run in first],
        people=len(found.names), frames=len(labels),
        coded=dict(zip(found.classes, (~np.isnan(labels)).sum(0))),
        prevalence=dict(zip(found.classes, [100 * np.mean(column[~np.isnan(column)])
                                            for column in labels.T])),
        all_present=np.mean([100 * f1_score(column[~np.isnan(column)],
                                            np.ones((~np.isnan(column)).sum()))
                             for column in labels.T]))
    a, b = experiments[ours], experiments[base]
    for key, score in (('difference', 'f1'), ('auc_difference', 'auc')):
        values, spans, p = zip(*a.columns(score, seed, b))
        out[key] = dict(
            values=values, intervals=spans, people=len(a.names), p=p, trainings=len(a.seeds),
            significant=[span[0] is not None and (span[0] > 0 or span[1] < 0) for span in spans])
    tuned = []
    for one in (a, b):
        said = Experiment(one.given)
        for run in said.runs:  # at 0.5 is now at the thresholds
            run.scores = np.where(run.scores >= np.float32([.4, .5, .6]), 1., 0.)
        tuned.append(said.again())
    values, spans, p = zip(*tuned[0].columns('f1', seed, tuned[1]))
    out['tuned_difference'] = dict(values=values, intervals=spans, p=p)
    ones = np.ones((1, len(a.names)))
    out['noise_floor'] = dict(
        f1=noise_floor(*([one.drawn(table, ones)[0, 0] for table in one.table] for one in (a, b))),
        auc=noise_floor(*([one.areas(number, ones)[0, 0] for number in one.seeds]
                          for one in (a, b))))
    out['controls'] = control_block(of(base))
    out['eer_rise'] = eer_block(of(ours), of(base))
    out['purity_change'] = (out['experiments'][ours]['purity']['mean'] -
                            out['experiments'][base]['purity']['mean'])
    tables = dict(labels=b.together('labels'), **{name: experiments[name].together('scores')
                                                  for name in (base, ours)})
    off = ~np.eye(len(found.classes), dtype=bool)
    out['cooccurrence'] = dict(tables=tables, distance={
        name: np.nanmean(np.abs(tables[name] - tables['labels'])[off]) for name in (base, ours)})
    for kind, rows in report['ablations'].items():
        places = [tuple(place) for place in rows[0]['places']]
        out['ablations'][kind] = []
        for row in rows:
            part = Experiment([run for place in places for run in runs[row['name']]
                               if (run.fold, run.seed) == place])
            found = probe_block(of(row['name'], places), 'random')
            losses = [[line['loss_id'] for line in run.log if 'loss_id' in line][-1:]
                      for run in part.runs]
            best = [run.best()[0] for run in part.runs]
            out['ablations'][kind].append(dict(
                f1=dict(mean=part.whole()[0], interval=part.intervals(seed)[0]),
                auc={key: part.auc_block(seed)[key] for key in ('mean', 'interval')},
                runs=len(part.runs), probe={key: found[key] for key in KINDS},
                chance=found['chance'], best_epochs=best, best_epoch=np.mean(best),
                id_loss=np.mean(losses) if all(losses) else None))
    out['curves'] = {'f1/mean': {
        name: [sorted(experiments[name].runs[0].epochs('f1/mean')),
               np.mean([[value for _, value in sorted(run.epochs('f1/mean').items())]
                        for run in experiments[name].runs], axis=0)] for name in (base, ours)}}
    out['samples'] = []
    stored = {name: np.load(min(runs[name], key=lambda run: (run.seed, run.fold)).predictions)
              for name in (base, ours)}
    for sample in report['samples']:
        end = sample['path'].lstrip('./')  # relative to the page
        rows = {name: [path.endswith(end) for path in data['img_path']].index(True)
                for name, data in stored.items()}
        label = stored[base]['labels'][rows[base]].astype(float)
        out['samples'].append(dict(
            truth=label, scores={name: np.round(stored[name]['scores'][row].astype(float), 4)
                                 for name, row in rows.items()}))
    out['tables'] = dict(honest=[], paper=[], auc=[])
    for name in report['beside']:
        one = experiments[name]
        seeds = np.array([Experiment([run for run in runs[name] if run.seed == number]).whole()
                          for number in one.seeds])
        paper = np.array([np.mean([[run.best()[1], *(run.epochs(f'paper/{au}')[run.best()[0]]
                                                     for au in one.classes)]
                                   for run in one.runs if run.seed == number], axis=0)
                          for number in one.seeds])
        areas = np.array([one.areas(number, np.ones((1, len(one.names))))[0]
                          for number in one.seeds])
        for kind, values in (('honest', seeds), ('paper', paper), ('auc', areas)):
            out['tables'][kind].append(dict(
                name=name, values=values.mean(0),
                spread=values.std(0, ddof=1) if len(values) > 1 else None))
    return out


def compare_trees(found, expected, at='report', loose=()):
    """Both hold the same numbers; returns how many."""
    # with a threshold for each pair; jackknife and p of few people magnify what is left
    tolerance = .5 if '.eer_rise.' in at or '.eer.interval' in at else (
        .1 if '.eer.' in at else 1e-6)
    if isinstance(expected, dict):
        assert set(expected) <= set(found), (at, set(expected) - set(found))
        return sum(compare_trees(found[key], value, f'{at}.{key}')
                   for key, value in expected.items())
    if isinstance(expected, (list, tuple, np.ndarray)):
        assert len(found) == len(expected), at
        return sum(compare_trees(a, b, f'{at}[{k}]')
                   for k, (a, b) in enumerate(zip(found, expected)))
    if isinstance(expected, (str, bool, np.bool_)) or expected is None:
        assert found == expected, (at, found, expected)
        return 0
    if math.isnan(expected):
        assert found is None, (at, found)
    else:
        assert found == pytest.approx(expected, rel=1e-6, abs=tolerance), (at, found, expected)
    return 1


def leaves(tree):
    if isinstance(tree, dict):
        return sum(map(leaves, tree.values()))
    if isinstance(tree, list):
        return sum(map(leaves, tree))
    return isinstance(tree, (int, float)) and not isinstance(tree, bool)


def test_every_number_is_that_of_the_stored_files(made):
    folder, _, report = made
    checked = compare_trees(report, truth(folder, report, (10, 5), (6, 3)))
    # what is not recomputed: settings of the configs, places of rows, claims (their own test)
    rest = leaves([report['claims'], report['first'], *(
        block['setting'] for block in report['experiments'].values())]) + leaves(
        [block['tuned'] for block in report['experiments'].values()])
    rest += leaves([row['place'] for table in ('honest', 'paper', 'auc')
                    for row in report['tables'][table]])
    rest += leaves([[row['places'], row['scale'], row['layers'], row['parameters']]
                    for rows in report['ablations'].values() for row in rows])
    nulls = sum(1 for value in flat(report) if value is None)
    assert checked >= leaves(report) - rest and nulls > 0
    assert checked > 900


def flat(tree):
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    if items is None:
        return [tree]
    return [leaf for item in items for leaf in flat(item)]


def test_tuned_thresholds(made):
    folder, _, report = made
    for name, runs in compare.collect([str(folder)]).items():
        seeds = []
        for seed in sorted({run.seed for run in runs}):
            parts = [Stored(run) for run in runs if run.seed == seed]
            each = []
            for k, threshold in enumerate((.4, .5, .6)):
                tp = fp = fn = 0
                for part in parts:
                    says, is_ = part.scores[:, k] >= np.float32(threshold), part.labels[:, k]
                    tp += (says & (is_ == 1)).sum()
                    fp += (says & (is_ == 0)).sum()
                    fn += (~says & (is_ == 1)).sum()
                each.append(200 * tp / (2 * tp + fp + fn))
            seeds.append(each)
        tuned = report['experiments'][name]['tuned']
        assert tuned['mean'] == pytest.approx(np.mean(seeds))
        assert list(tuned['aus'].values()) == pytest.approx(np.mean(seeds, axis=0))


def test_ablations_are_found_by_their_configs(made):
    report = made[2]
    rows = {kind: [(row['label'], row['name']) for row in found]
            for kind, found in report['ablations'].items()}
    assert rows['lambda'] == [('0', 'fmae'), ('0.02', 'iat-weak'), ('1', 'iat'),
                              ('2', 'iat-strong')]
    assert rows['head'] == [('1', 'iat'), ('3', 'iat-head3')]
    assert rows['ramp'] == [('constant', 'iat'), ('rising', 'iat-ramp')]
    assert rows['size'] == [('24 x 1', 'fmae'), ('24 x 2', 'fmae-large')]
    assert [row['places'] for row in report['ablations']['lambda']] == [[[1, 0], [1, 1]]] * 4
    assert report['beside'] == ['fmae', 'iat', 'fmae-large']  # tested on the same people


def test_claims_follow_from_the_numbers(made):
    folder, _, report = made
    claims = {claim['claim']: claim for claim in report['claims']}
    assert len(claims) == 8
    known = sorted(claim['p'] for claim in claims.values() if claim['p'] is not None)
    assert len(known) >= 6
    for claim in claims.values():
        low, high = claim['interval']
        assert low is None or low <= claim['effect'] <= high
        if claim['p'] is None:
            assert claim['verdict'] == 'not enough data'
            continue
        corrected = max(min(1, (len(known) - rank) * p) for rank, p in enumerate(known)
                        if p <= claim['p'])
        assert claim['holm'] == pytest.approx(corrected)
        right, wrong = (('reproduced', 'not reproduced') if claim['trainings'] > 1 else
                        ('true of this checkpoint', 'not true of this checkpoint'))
        assert claim['verdict'] == ('not enough data' if corrected >= .05 else
                                    right if claim['effect'] > 0 else wrong)

    def effect(start):
        return next(claim for text, claim in claims.items() if text.startswith(start))

    rows = {kind: {row['label']: row['f1']['mean'] for row in found}
            for kind, found in report['ablations'].items()}
    # the weaker of two controls, and of the two judges: across sequences, and verification
    weaker = max(report['controls'].values(), key=lambda found: found['fall']['p'])['fall']
    assert effect('fmae learns')['effect'] == weaker['mean'] > 0
    judges = [report['falls']['sequences']['logistic'], report['eer_rise']]
    assert effect('Identity adv')['effect'] in [found['mean'] for found in judges]
    assert '{:.1f} %'.format(report['controls']['pixels']['mean']) in effect(
        'fmae learns')['sentence']
    assert effect('F1 on')['effect'] == report['difference']['values'][0]
    assert effect('Lambda must be strong: 2 is better than 0.02')['effect'] == pytest.approx(
        rows['lambda']['2'] - rows['lambda']['0.02'])
    assert effect('The identity head')['effect'] == pytest.approx(
        rows['head']['1'] - rows['head']['3'])
    assert effect('A larger')['effect'] == pytest.approx(
        rows['size']['24 x 2'] - rows['size']['24 x 1'])
    assert effect('Beyond')['effect'] == pytest.approx(
        rows['ramp']['rising'] - rows['ramp']['constant'])
    later = {row['label']: row['best_epochs'] for row in report['ablations']['lambda']}
    gaps = np.subtract(later['2'], later['0'])
    assert effect('The stronger')['effect'] == gaps.mean()
    if gaps.std():
        from scipy import stats
        assert effect('The stronger')['interval'] == pytest.approx(
            stats.ttest_1samp(gaps, 0).confidence_interval(.95))


@pytest.mark.parametrize('change, tuned, disagree, confirmed', [
    (-10., -5., True, False), (10., -5., False, True), (-10., 5., True, True)])
def test_a_rise_of_f1_without_one_of_auc_is_said(made, change, tuned, disagree, confirmed):
    report = copy.deepcopy(made[2])
    assert report['difference']['values'][0] > 0
    for key, value in (('auc_difference', change), ('tuned_difference', tuned)):
        report[key]['values'][0], report[key]['intervals'][0] = value, [value - 1, value + 1]
    found = _rises(report)
    sentence = found['sentence']
    assert ('The two disagree' in sentence) == disagree and found['confirmed'] == confirmed
    assert f'difference {change:+.1f} points' in sentence
    assert f'{report["noise_floor"]["f1"]:.1f} points of F1' in sentence
    assert f'present scores {report["data"]["all_present"]:.1f} %' in sentence


class Texts(HTMLParser):
    """What a reader sees, without the figures, the configurations and the script-like parts."""

    def __init__(self):
        super().__init__()
        self.inside, self.found = [], []

    def handle_starttag(self, tag, attributes):
        if tag in ('svg', 'style', 'pre', 'title', 'summary'):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.found.append(data)


def test_the_page_shows_no_other_number(made):
    _, page, report = made
    texts = Texts()
    texts.feed(page.read_text(encoding='utf-8'))
    allowed = {'0.5', '50', '95', '100'}
    for value in flat({key: report[key] for key in report if key not in ('configs', 'versions')}):
        if isinstance(value, str):
            allowed |= set(re.findall(r'\d[\d,]*(?:\.\d+)?', value))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            for sign in (value, -value):
                allowed |= {f'{abs(round(sign, digits)):.{digits}f}' for digits in (0, 1, 2, 3, 4)}
            allowed.add(str(value))
    for names in (report['experiments'], report['table_aus'], report['aus']):
        allowed |= {number for name in names for number in re.findall(r'\d+(?:\.\d+)?', name)}
    counted = {str(len(report[key])) for key in ('missing', )} | {
        str(len(report['experiments'][name]['probe'][split]['left_out']))
        for name in ('fmae', 'iat') for split in ('random', 'sequences')}
    shown = re.findall(r'\d[\d,]*(?:\.\d+)?', html.unescape(' '.join(texts.found)))
    assert len(shown) > 300
    assert set(shown) - allowed - counted == set()
    for name in ('fmae', 'iat'):
        assert f'{report["experiments"][name]["f1"]["mean"]:.1f}' in shown


def test_the_page_stands_alone(made):
    text = made[1].read_text(encoding='utf-8')
    assert '<script' not in text and 'src="http' not in text and 'href="http' not in text
    assert text.count('<svg') == 11  # 2 t-SNE, 2 by epoch, 3 of scores, 4 sweeps
    assert text.count('src="data:image/jpeg;base64,') == len(made[2]['samples']) == 8
    assert '<b>.png' not in text and 'Title &lt;i&gt;' in text
    for verdict in ('reproduced', 'not enough data'):
        assert verdict in text


def test_runs_without_features_leave_the_rest(made, tmp_path):
    import shutil
    for name in ('fmae', 'iat'):
        shutil.copytree(made[0] / name, tmp_path / name)
    for path in tmp_path.rglob('features.npz'):
        path.unlink()
    assert main([str(tmp_path), '-o', str(tmp_path / 'r.html'), '--workers', '1']) == 0
    report = json.loads((tmp_path / 'r.json').read_text())
    verdicts = [claim['verdict'] for claim in report['claims']]
    assert verdicts[:2] == ['not enough data'] * 2
    assert report['claims'][0]['sentence'] == 'No probe: the runs kept no features.'
    assert report['difference']['values'] == made[2]['difference']['values']
    root = made[1].parent  # paths are relative to the folder of each page
    assert report['samples'] == [
        {**sample, 'path': os.path.relpath(root / sample['path'], tmp_path)}
        for sample in made[2]['samples']]
    assert 'The runs kept no features.' in (tmp_path / 'r.html').read_text()


def test_too_few_frames_and_missing_pictures_are_said(made, tmp_path):
    import shutil
    for name in ('fmae', 'iat'):
        shutil.copytree(made[0] / name, tmp_path / name)
    faces = made[0].parent / 'faces'
    faces.rename(tmp_path / 'faces')
    try:
        assert main([str(tmp_path), '-o', str(tmp_path / 'r.html'), '--workers', '1',
                     '--probe-frames', '70', '30']) == 0
    finally:
        (tmp_path / 'faces').rename(faces)
    text = (tmp_path / 'r.html').read_text()
    assert 'subjects have 70 + 30 frames' in text
    assert '8 of the pictures are not where they were in the test, such as' in text


@pytest.mark.parametrize('change, message', [
    (['--base', 'none'], "no experiment 'none'. Remedy: one of fmae"),
    (['--ours', 'iat-weak'], 'fmae and iat-weak have different folds or seeds'),
    (['-o', 'page.txt'], 'page.txt does not end in .html')])
def test_errors_are_one_line(made, capsys, change, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([str(made[0]), '--workers', '1', '--probe-frames', '10', '5', *change]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
    assert not list(tmp_path.iterdir())


def test_the_pair_is_chosen_by_its_number_of_runs(made):
    experiments = compare.collect([str(made[0])])
    assert choose(experiments) == ('fmae', 'iat')
    with pytest.raises(ValueError, match='2 experiments with an adversary could be meant: '
                       'iat-weak, iat-strong. Remedy: name one by --ours'):
        choose({name: experiments[name] for name in ('fmae', 'iat-weak', 'iat-strong')})


@pytest.mark.parametrize('kind, row, data_set, expected', [
    ('lambda', dict(scale=.02), 'BP4D', 68.60), ('lambda', dict(scale=0.), 'BP4D', 68.33),
    ('lambda', dict(scale=.5), 'DISFA', 73.48), ('lambda', dict(scale=0.), 'BP4D+', 65.45),
    ('lambda', dict(scale=.7), 'BP4D', None), ('lambda', dict(scale=1.), None, None),
    ('head', dict(layers=3), 'BP4D', 68.90), ('head', dict(layers=3), 'DISFA', None),
    ('size', dict(encoder='1024 x 24'), 'BP4D', None)])
def test_published_numbers_stand_beside_the_same_setting(kind, row, data_set, expected):
    assert published_f1(kind, row, data_set) == expected


def test_titles(made):
    assert made[2]['aus'] == {au: ACTION_UNITS[parse_au(au)].name for au in AUS}


@pytest.mark.skipif('FMAE_REPORT' not in os.environ, reason='FMAE_REPORT=report.json is not set')
def test_a_real_report():
    report = json.loads(Path(os.environ['FMAE_REPORT']).read_text())
    numbers = re.findall(r'(\d+)', report['setup']['Identity probe'])
    frames, sequence_frames = (int(numbers[0]), int(numbers[1])), tuple(map(int, numbers[2:4]))
    assert compare_trees(report, truth(os.environ['FMAE_REPORT_RUNS'], report, frames,
                                       sequence_frames)) > 900
