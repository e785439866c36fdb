# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The ablation, small: what each arm sees, the measures and the tables by another way."""

import json

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

import fmae_iat_plugin.experiments.rtatl_ablation as ablation
from fmae_iat_plugin.evaluation.infilling import fill_with_mean
from fmae_iat_plugin.experiments.report_figures import rtatl_figures
from fmae_iat_plugin.experiments.rtatl_ablation import Run, planned, prepare, run_config
from fmae_iat_plugin.experiments.rtatl_measure import (
    flow_errors,
    infilling_errors,
    predictions,
    test_data,
)
from fmae_iat_plugin.experiments.rtatl_pictures import draw
from fmae_iat_plugin.experiments.rtatl_tables import Pooled, tables
from fmae_iat_plugin.experiments.run_plan import Run as PlannedRun

test_data.__test__ = False  # a function of the package
FACES = dict(subjects=3, frames=8, size=64, shortcut=0.0, aus=(1, 2, 4, 6, 9, 12, 25, 26))


@pytest.fixture(scope='module')
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ablation')
    prepare(folder, 11, dict(FACES, folds=3))
    return folder


@pytest.fixture(scope='module')
def trained(work):
    """A run of one update with 100 %, the smallest that trains."""
    options = {'train_dataloader.batch_size': 8, 'train_dataloader.batch_sampler.labelled': 8,
               'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False,
               'val_dataloader.num_workers': 0, 'val_dataloader.persistent_workers': False}
    runs = [Run('none', 100, 11), Run('both', 100, 11)]
    results = [ablation.train_and_measure(run, work, {100: 1}, options) for run in runs]
    assert [result['updates'] for result in results] == [2, 2]
    return runs


def test_the_plan_is_the_registered_one():
    runs = planned()
    assert len(runs) == 33 == len({run.folder for run in runs})
    assert {run.seed for run in runs} == {11, 12, 13}
    assert sum(run.percent == 10 for run in runs) == 15


def test_all_arms_see_as_many_labelled_frames(work):
    for percent, labelled in ((10, 16), (100, 32)):
        for arm in ablation.ARMS:
            cfg = run_config(Run(arm, percent, 11), work)
            loader = cfg.train_dataloader
            assert loader.batch_sampler.labelled == labelled
            more = 16 if percent == 10 and arm != 'none' else 0
            assert loader.batch_size == labelled + more
            assert loader.dataset.labelled == percent / 100
            model = cfg.model
            assert (model.get('inpainting') is not None) == (arm not in ('none', 'flow'))
            assert (model.get('flow') is not None) == (arm not in ('none', 'inpainting'))
            assert (model.get('adversary') is not None) == (arm == 'both + IAT')
            assert (model.neck.regions == 'landmarks') == (arm == 'both, landmarks')


def test_a_finished_run_is_read(work, trained, monkeypatch):
    monkeypatch.setattr(ablation, 'run_config', None)
    assert ablation.train_and_measure(trained[1], work)['updates'] == 2


@pytest.fixture(scope='module')
def untrained(work):
    init_default_scope('mmpretrain')
    cfg = run_config(Run('both', 100, 11), work)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    torch.nn.init.normal_(model.head.regional)  # else the tokens would not count
    return model, test_data(cfg)


def test_the_report_draws_the_model_of_a_run(work, tmp_path):
    """Of the first run that is RTATL and still has its checkpoint."""
    cfg = run_config(Run('both', 100, 11), work)
    torch.manual_seed(0)
    init_default_scope('mmpretrain')
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    cfg.dump(tmp_path / 'both.py')
    other = tmp_path / 'other'
    other.mkdir()
    cfg.model.type = 'AUClassifier'
    cfg.dump(other / 'both.py')
    runs = [PlannedRun(name, 'both.py', 1, 11, str(folder))
            for name, folder in (('other', other), ('both', tmp_path))]
    drawn = rtatl_figures(runs)
    assert sorted(drawn) == ['rtatl_flow', 'rtatl_recovered', 'rtatl_relation']
    assert all(svg.startswith('<svg') and 'of both"' in svg for svg in drawn.values())
    (tmp_path / 'last_checkpoint').unlink()
    assert rtatl_figures(runs) == {}


def test_flow_error_of_no_motion_is_the_mean_length(untrained):
    model, data = untrained
    torch.nn.init.zeros_(model.flow.last.weight)
    torch.nn.init.zeros_(model.flow.last.bias)
    found = flow_errors(model, data)
    np.testing.assert_allclose(found['model'], found['zero'])
    flows = [100 * data[row]['data_samples'].flow for row in range(len(data))]
    wanted = [np.nanmean(np.hypot(flow[..., 0], flow[..., 1])) for flow in flows]
    np.testing.assert_allclose(found['zero'], wanted, rtol=1e-4)
    middle = np.nanmean(flows, axis=0)
    wanted = [np.nanmean(np.linalg.norm(flow - middle, axis=-1)) for flow in flows]
    np.testing.assert_allclose(found['average'], wanted, rtol=1e-3)


def test_infilling_error_of_the_mean_by_hand(untrained):
    model, data = untrained
    found = infilling_errors(model, data, every=3)
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(
        ('model', 'mean', 'border'), (3, 8))
    image = data[3]['inputs'].flip(0).float()  # RGB
    image = (image - model.data_preprocessor.mean) / model.data_preprocessor.std
    regions = model.neck.mean_boxes()
    mask = np.zeros((64, 64), bool)
    for x1, y1, x2, y2 in regions[5].tolist():  # AU12
        for y in range(64):
            for x in range(64):
                mask[y, x] |= (x1 <= (x + .5) / 64 < x2) and (y1 <= (y + .5) / 64 < y2)
    filled = fill_with_mean(image.permute(1, 2, 0).numpy(), mask)
    target, other = (model.inpainting.target(picture[None], regions[None])[0, 5] for picture in (
        image, torch.from_numpy(filled).float().permute(2, 0, 1)))
    assert found['mean'][1, 5] == pytest.approx(float((target - other).square().mean()), rel=1e-3)


def test_predictions_with_and_without_landmarks(untrained):
    model, data = untrained
    fixed, own = (predictions(model, data, landmarks) for landmarks in (False, True))
    assert np.abs(fixed['scores'] - own['scores']).max() > 1e-6
    assert model.neck.regions == 'mean' and set(fixed['subjects']) == {0}
    batch = model.data_preprocessor(dict(inputs=[data[2]['inputs']],
                                         data_samples=[data[2]['data_samples']]))
    with torch.no_grad():
        wanted = model(batch['inputs']).sigmoid()[0]
    np.testing.assert_allclose(fixed['scores'][2], wanted.numpy(), atol=1e-5)


def test_tables_of_known_predictions(tmp_path):
    """Two people; 'both' is always right, 'none' on the first person only."""
    labels = np.tile([[1., 0.], [0., 1.], [1., 1.], [0., 0.]], (2, 1))
    subjects = np.repeat([4, 7], 4)
    scores = {'none': np.where(subjects[:, None] == 4, labels, 1 - labels), 'both': labels}
    runs = [Run(arm, 10, 11) for arm in scores]
    for run in runs:
        folder = tmp_path / run.folder
        folder.mkdir(parents=True)
        more = {} if run.arm == 'none' else dict(
            flow_model=np.full(8, .3), flow_zero=np.full(8, .5), flow_average=np.full(8, .4),
            infilling_model=np.full((4, 2), .1), infilling_border=np.full((4, 2), .2),
            infilling_mean=np.full((4, 2), .4))
        np.savez(folder / 'predictions.npz', scores=.1 + .8 * scores[run.arm], labels=labels,
                 subjects=subjects, **more)
        (folder / 'result.json').write_text(json.dumps(dict(cpu_seconds=7)))
    text = tables(tmp_path, runs)
    assert '| 10 % | none | 1 | 50.0 (0.0 to 100.0) | 50.0 ' in text
    assert '| 10 % | both | 1 | 100.0 (100.0 to 100.0) | 100.0 ' in text
    assert '+50.0 (0.0 to 100.0)' in text
    assert '0.100, 0.200, 0.400 | 50 % (50.0 to 50.0) | 75 % (75.0 to 75.0)' in text
    assert '0.30, 0.50, 0.40 | 40 % (40.0 to 40.0)' in text
    with pytest.raises(ValueError, match='holds no finished run. Remedy'):
        tables(tmp_path, [])


def test_people_of_all_seeds_are_pooled():
    labels = np.array([[1.], [0.]])
    one = dict(scores=np.array([[.9], [.1]]), labels=labels, subjects=np.array([0, 0]))
    other = dict(one, scores=np.array([[.1], [.9]]))
    pooled = Pooled([one, other])
    assert pooled.auc.tolist() == [100, 0] and pooled.counts.sum(axis=(1, 2)).tolist() == [
        1, 1, 1, 1]


def test_pictures_of_each_task(untrained):
    figures = draw(*untrained, faces=2)
    assert set(figures) == {'recovered', 'flow', 'relation'}
    recovered = [axes.images[0].get_array() for axes in figures['recovered'].axes]
    assert len(recovered) == 6
    cut, filled, intact = recovered[:3]
    gone = (cut != intact).any(-1)
    assert gone.any() and (filled[~gone] == intact[~gone]).mean() > 0.99
