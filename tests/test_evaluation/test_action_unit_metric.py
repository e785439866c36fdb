# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""ActionUnitMetric: one frame counts once on any number of ranks, and bad input is named.

Run as a script it is one rank of the test with two real processes.
"""
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmpretrain.registry import METRICS
from mmpretrain.structures import DataSample
from sklearn.metrics import f1_score
from torch.utils.data import Dataset

from fmae_iat_plugin.evaluation import ActionUnitMetric, action_unit_scores

CLASSES = ('AU1', 'AU2', 'AU12')
NUM = 11
CASES = ('uneven', 'padded', 'chunks')


def frames(num=NUM, seed=0, classes=CLASSES):
    rng = np.random.default_rng(seed)
    labels = (rng.random((num, len(classes))) < 0.5).astype(np.float32)
    scores = np.clip(rng.normal(0.3 + 0.4 * labels, 0.3), 0, 1).astype(np.float32)
    labels[rng.random(labels.shape) < 0.15] = np.nan
    return scores, labels


def sample(index, score, label, path=None, subject=None):
    out = DataSample().set_gt_score(torch.as_tensor(label))
    out.set_pred_score(torch.as_tensor(score))
    out.set_metainfo(dict(sample_idx=index, img_path=path or f'{index}.jpg'))
    if subject is not None:
        out.set_field(subject, 'subject')
    return out


def evaluator(classes=CLASSES, **kwargs):
    out = Evaluator(METRICS.build(
        dict(type='ActionUnitMetric', _scope_='mmpretrain', **kwargs)))
    out.dataset_meta = dict(classes=classes)
    return out


def run_evaluator(samples, size=None, batch=4, **kwargs):
    out = evaluator(**kwargs)
    for start in range(0, len(samples), batch):
        out.process(samples[start:start + batch])
    return out.evaluate(len(samples) if size is None else size)


def samples_of(scores, labels):
    return [sample(i, s, y) for i, (s, y) in enumerate(zip(scores, labels))]


@pytest.mark.parametrize('batch', [1, 4, 11, 100])  # 4: the last batch has 3
def test_one_process_equals_the_pure_numbers(batch):
    scores, labels = frames()
    metrics = run_evaluator(samples_of(scores, labels), batch=batch, thresholds={
        'AU12': 0.3, 'AU1': 0.4, 'AU2': 0.6})
    np.testing.assert_equal(metrics, action_unit_scores(scores, labels, CLASSES, [0.4, 0.6, 0.3]))
    coded = ~np.isnan(labels[:, 2])
    assert metrics['f1_tuned/AU12'] == pytest.approx(
        100 * f1_score(labels[coded, 2], scores[coded, 2] >= 0.3))


def test_keys_are_complete_and_scalars():
    scores, labels = frames()
    per_au = {f'{key}/{name}' for name in CLASSES for key in
              ('f1', 'paper', 'auc', 'accuracy', 'positive', 'negative', 'missing')}
    plain = per_au | {'f1/mean', 'auc/mean', 'accuracy/mean', 'paper/f1', 'paper/threshold',
                      'undefined'}
    metrics = run_evaluator(samples_of(scores, labels))
    assert set(metrics) == plain
    assert all(isinstance(value, (int, float)) for value in metrics.values())
    tuned = run_evaluator(samples_of(scores, labels), thresholds=0.4)
    assert set(tuned) - plain == {'f1_tuned/mean', *(f'f1_tuned/{name}' for name in CLASSES)}
    assert 'bp4d/f1/mean' in run_evaluator(samples_of(scores, labels), prefix='bp4d')


@pytest.mark.parametrize('world', [2, 3, 4])
@pytest.mark.parametrize('round_up', [True, False])
def test_simulated_ranks_count_each_frame_once(monkeypatch, world, round_up):
    scores, labels = frames()
    parts = []
    for rank in range(world):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda r=rank: (r, world))
        indices = list(DefaultSampler(range(NUM), shuffle=True, seed=3, round_up=round_up))
        metric = evaluator().metrics[0]
        metric.process(None, [sample(i, scores[i], labels[i]).to_dict() for i in indices])
        parts.append(metric.results)
    assert sum(map(len, parts)) == (-(-NUM // world) * world if round_up else NUM)
    metric = evaluator().metrics[0]
    np.testing.assert_equal(metric.compute_metrics(sum(parts, [])),
                            action_unit_scores(scores, labels, CLASSES))


def rank_indices(case, rank):
    if case == 'chunks':  # overlapping halves: cutting to the length would lose frames 9 and 10
        return list(range(0, 8)) if rank == 0 else list(range(3, NUM))
    return list(DefaultSampler(range(NUM), shuffle=False, round_up=case == 'padded'))


def rank_main(rank, folder):
    """One of two ranks: evaluate each case, write what this rank got."""
    os.chdir(folder)  # mmengine exchanges results through ./.dist_test
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/rendezvous',
                                         rank=rank, world_size=2)
    scores, labels = frames()
    out = {}
    for case in CASES:
        indices = rank_indices(case, rank)
        part = evaluator(out_file=f'{folder}/{case}.npz')
        for start in range(0, len(indices), 4):
            part.process([sample(i, scores[i], labels[i]) for i in indices[start:start + 4]])
        out[case] = dict(num=len(indices), metrics=part.evaluate(NUM))
    Path(folder, f'rank{rank}.json').write_text(json.dumps(out))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    root = Path(__file__).parents[2]
    env = {**os.environ, 'OMP_NUM_THREADS': '1',
           'PYTHONPATH': os.pathsep.join([str(root), os.environ.get('PYTHONPATH', '')])}
    ranks = [subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)], env=env,
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
             for rank in range(2)]
    try:
        for process in ranks:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    finally:
        for process in ranks:
            process.kill()
    scores, labels = frames()
    expected = action_unit_scores(scores, labels, CLASSES)
    got = [json.loads((tmp_path / f'rank{rank}.json').read_text()) for rank in range(2)]
    assert [[got[rank][case]['num'] for rank in range(2)] for case in CASES] == [
        [6, 5], [6, 6], [8, 8]]
    for case in CASES:
        for rank in range(2):  # the second rank gets the numbers by broadcast
            np.testing.assert_equal(got[rank][case]['metrics'], expected, err_msg=case)
        with np.load(tmp_path / f'{case}.npz') as file:
            assert sorted(file['sample_idx']) == list(range(NUM))


def test_concatenated_datasets_may_number_their_frames_alike():
    scores, labels = frames()
    samples = [sample(i % 6, s, y, path=f'{"ab"[i // 6]}/{i % 6}.jpg')
               for i, (s, y) in enumerate(zip(scores, labels))]
    np.testing.assert_equal(run_evaluator(samples), action_unit_scores(scores, labels, CLASSES))


def test_the_first_of_repeated_results_is_kept():
    scores, labels = frames()
    samples = samples_of(scores, labels) + [sample(0, 1 - scores[0], labels[0])]
    np.testing.assert_equal(run_evaluator(samples, size=NUM),
                            action_unit_scores(scores, labels, CLASSES))


def test_without_sample_idx_the_padding_is_cut_off():
    scores, labels = frames()
    samples = []
    for i in [*range(NUM), 0]:
        samples.append(DataSample().set_gt_score(labels[i]).set_pred_score(scores[i]))
    np.testing.assert_equal(run_evaluator(samples, size=NUM),
                            action_unit_scores(scores, labels, CLASSES))


def test_results_are_cleared_between_evaluations():
    out, (scores, labels) = evaluator(), frames()
    for seed in (1, 2):
        scores, labels = frames(seed=seed)
        out.process(samples_of(scores, labels))
        np.testing.assert_equal(out.evaluate(NUM), action_unit_scores(scores, labels, CLASSES))


def test_out_file_recomputes_every_number(tmp_path):
    scores, labels = frames()
    path = tmp_path / 'new' / 'fold1.npz'
    out = evaluator(thresholds=0.3, out_file=str(path), paper_missing='negative')
    out.dataset_meta = dict(classes=CLASSES, subjects=('F001', 'M001'))
    samples = [sample(i, s, y, subject=None if i == 4 else i % 2)
               for i, (s, y) in enumerate(zip(scores, labels))]
    out.process(samples)
    metrics = out.evaluate(NUM)
    with np.load(path) as file:  # no pickles: allow_pickle stays False
        saved = dict(file)
    np.testing.assert_array_equal(saved['scores'], scores)
    np.testing.assert_array_equal(saved['labels'], labels)
    assert saved['subject'].tolist() == [-1 if i == 4 else i % 2 for i in range(NUM)]
    assert saved['subjects'].tolist() == ['F001', 'M001']
    assert saved['sample_idx'].tolist() == list(range(NUM))
    assert saved['img_path'].tolist() == [f'{i}.jpg' for i in range(NUM)]
    np.testing.assert_equal(metrics, action_unit_scores(
        saved['scores'], saved['labels'], tuple(saved['classes'].tolist()), saved['thresholds'],
        saved['paper_missing'].item()))
    assert os.listdir(path.parent) == ['fold1.npz']


@pytest.fixture
def log():
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append((record.levelname, record.getMessage()))
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('INFO')
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_the_table_shows_each_au_and_what_is_undefined(log):
    scores, labels = frames()
    labels[:, 1] = 0
    metrics = run_evaluator(samples_of(scores, labels), thresholds=0.4)
    (table, ) = [text for _, text in log if text.startswith('Action units')]
    cells = {line.split('|')[1].strip(): [cell.strip() for cell in line.split('|')[2:-1]]
             for line in table.splitlines() if line.startswith('|')}
    for name in (*CLASSES, 'mean'):
        assert name in cells
    assert cells['AU'] == ['positive', 'negative', 'missing', 'F1@0.5', 'F1 tuned', 'paper F1',
                           'AUC', 'accuracy']
    assert cells['AU12'] == [
        *(f'{metrics[f"{key}/AU12"]:.0f}' for key in ('positive', 'negative', 'missing')),
        *(f'{metrics[f"{key}/AU12"]:.1f}'
          for key in ('f1', 'f1_tuned', 'paper', 'auc', 'accuracy'))]
    assert cells['AU2'][3:] == ['undefined', 'undefined', '0.0', 'undefined',
                                f'{metrics["accuracy/AU2"]:.1f}']
    assert cells['mean'][3] == f'{metrics["f1/mean"]:.1f}'
    assert f'{metrics["paper/threshold"]:.2f}' in table and 'undefined for 1 AU(s)' in table


def test_repeats_and_gaps_are_logged(log):
    scores, labels = frames()
    run_evaluator(samples_of(scores, labels) + [sample(0, scores[0], labels[0])], size=NUM + 2)
    assert any(text.startswith('1 repeated results') for _, text in log)
    assert ('WARNING', '11 frames are evaluated, but the dataset has 13.') in log


@pytest.mark.parametrize('score, label, match', [
    ([0.1, np.nan, 0.2], [0, 1, 0], r'sample 7 \(x/7.jpg\): predicted scores .*nan'),
    ([0.1, np.inf, 0.2], [0, 1, 0], 'sample 7 .*inf'),
    ([0.1, 3.5, 0.2], [0, 1, 0], 'sample 7 .*3.5.*logits'),
    ([0.1, 0.2], [0, 1, 0], r'pred_score has shape \(2,\), but the dataset has 3 AUs'),
    ([0.1, 0.2, 0.3], [0, 1], r'gt_score has shape \(2,\)'),
    ([0.1, 0.2, 0.3], [0, 4, 0], 'sample 7 .*labels .*4.0.* must be 0, 1 or NaN'),
    (None, [0, 1, 0], 'sample 7 .*has no pred_score'),
    ([0.1, 0.2, 0.3], None, 'sample 7 .*has no gt_score'),
])
def test_unusable_predictions_name_the_sample(score, label, match):
    bad = dict(sample_idx=7, img_path='x/7.jpg')
    bad.update({key: torch.tensor(value, dtype=torch.float32)
                for key, value in (('pred_score', score), ('gt_score', label))
                if value is not None})
    metric = evaluator().metrics[0]
    with pytest.raises(ValueError, match=match):
        metric.process(None, [bad])


def test_unusable_arguments_are_named():
    with pytest.raises(ValueError, match="got 'drop'"):
        ActionUnitMetric(paper_missing='drop')
    with pytest.raises(ValueError, match='scores.pkl'):
        ActionUnitMetric(out_file='scores.pkl')
    with pytest.raises(ValueError, match='set METAINFO'):
        ActionUnitMetric().process(None, [])
    with pytest.raises(ValueError, match='2 thresholds given for 3 AUs'):
        run_evaluator(samples_of(*frames()), thresholds=[0.1, 0.2])
    with pytest.raises(ValueError, match='nothing to evaluate'):
        evaluator().evaluate(0)


class Frames(Dataset):
    """Images that are their own logits; what the model adds to them changes every epoch."""
    metainfo = dict(classes=CLASSES)

    def __len__(self):
        return NUM

    def __getitem__(self, index):
        scores, labels = frames()
        return dict(inputs=torch.from_numpy(scores[index]), data_samples=DataSample(
            metainfo=dict(sample_idx=index, img_path=f'{index}.jpg')).set_gt_score(labels[index]))


class Drifting(BaseModel):
    """Predicts well in epoch 2, badly in 1 and 3."""

    def __init__(self):
        super().__init__()
        self.epoch = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'loss':
            return dict(loss=(self.epoch * 0).sum())
        good = round(self.epoch.item()) == 2
        return [out.set_pred_score(x if good else 1 - x) for x, out in zip(inputs, data_samples)]

    def train_step(self, data, optim_wrapper):
        self.epoch.data += 1
        return dict(loss=torch.zeros(()))


def test_save_best_by_the_papers_f1(tmp_path):
    loader = dict(batch_size=4, num_workers=0, dataset=Frames(),
                  collate_fn=dict(type='pseudo_collate'))
    train = dict(loader, batch_size=NUM, sampler=dict(type='DefaultSampler'))
    runner = Runner(
        Drifting(), work_dir=str(tmp_path), train_dataloader=train,
        val_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=1), val_cfg=dict(),
        val_evaluator=evaluator(), log_level='ERROR',
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=-1, rule='greater',
                                           save_best='paper/f1')),
        default_scope='mmpretrain',
        experiment_name='save_best')
    runner.train()
    assert [p.name for p in tmp_path.glob('best*')] == ['best_paper_f1_epoch_2.pth']
    scores, labels = frames()
    assert runner.message_hub.get_info('best_score') == pytest.approx(
        action_unit_scores(scores, labels, CLASSES)['paper/f1'])
    with pytest.raises(ValueError, match='Cannot infer the rule'):  # why rule= is documented
        CheckpointHook(save_best='paper/f1')


if __name__ == '__main__':
    rank_main(int(sys.argv[1]), sys.argv[2])
