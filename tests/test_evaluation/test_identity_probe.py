# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The identity probe on features whose separability is known."""

import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from fmae_iat_plugin.evaluation.identity_probe import identity_probe, paper_probe, split_frames


def frames(counts, seed=0):
    """Shuffled subjects with so many frames each, and two unknown ones."""
    who = np.concatenate([np.full(n, k) for k, n in counts.items()] + [[-1, -1]])
    return np.random.default_rng(seed).permutation(who)


def test_counts_are_exact_and_frames_never_overlap():
    who = frames({2: 12, 5: 9, 7: 30, 9: 8})
    split = split_frames(who, train=6, test=3, seed=1)
    assert split.subjects == (2, 5, 7) and split.left_out == {9: 8}
    assert not set(split.train) & set(split.test)
    assert len(set(split.train) | set(split.test)) == 27
    for part, each in ((split.train, 6), (split.test, 3)):
        assert who[part].tolist() == [k for k in (2, 5, 7) for _ in range(each)]


def test_draw_depends_on_seed_and_subject_alone():
    who = frames({0: 20, 1: 20})
    split = split_frames(who, 10, 5)
    assert np.array_equal(split.train, split_frames(who, 10, 5).train)
    assert not np.array_equal(split.train, split_frames(who, 10, 5, seed=1).train)
    longer = np.concatenate([who, np.full(20, 2)])
    assert set(split.train) <= set(split_frames(longer, 10, 5).train)


def test_one_hot_identity_is_recognised_always():
    who = frames({k: 100 for k in range(5)})
    result = identity_probe(np.eye(5)[who] * 3, who)
    assert result.accuracy('logistic') == result.accuracy('paper') == 1
    assert result.interval('logistic') == (1, 1)
    assert result.chance == pytest.approx(0.2)
    assert (result.train, result.test, len(result.paper_epochs)) == (70, 30, 20)
    assert result.paper_epochs[-1] == 1


def test_noise_is_at_chance():
    who = frames({k: 100 for k in range(12)})
    noise = np.random.default_rng(5).standard_normal((len(who), 16))
    result = identity_probe(noise, who)
    for probe in ('logistic', 'paper'):
        low, high = result.interval(probe)
        assert low <= result.chance <= high
        assert high < 0.2


def test_overlap_sets_the_accuracy():
    """Two subjects at -d and +d with unit noise: the best accuracy is Phi(d)."""
    rng = np.random.default_rng(2)
    who = np.repeat([3, 8], 1000)
    x = np.where(who == 3, -1.0, 1.0)[:, None] + rng.standard_normal((2000, 1))
    result = identity_probe(x, who, train=500, test=500)
    assert result.accuracy('logistic') == pytest.approx(0.8413, abs=0.03)


def test_bits_are_the_log_loss_and_bound_the_information():
    """Four subjects with unit noise on a line, 3 apart: the information is known by integration."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    rng = np.random.default_rng(2)
    who = np.repeat([1, 4, 5, 8], 600)
    x = 3. * np.searchsorted([1, 4, 5, 8], who)[:, None] + rng.standard_normal((2400, 1))
    result = identity_probe(x, who, train=300, test=300)
    split = result.split
    scaler = StandardScaler().fit(x[split.train].astype(np.float32))
    model = LogisticRegression(max_iter=2000).fit(scaler.transform(x[split.train]),
                                                  who[split.train])
    found = model.predict_proba(scaler.transform(x[split.test]))
    for k, subject in enumerate((1, 4, 5, 8)):
        mine = who[split.test] == subject
        assert result.bits[k] == pytest.approx(2 + np.log2(found[mine, k]).mean(), abs=1e-3)
    line = np.linspace(-8, 17, 20001)
    density = np.exp(-(line[:, None] - 3. * np.arange(4)) ** 2 / 2) / np.sqrt(2 * np.pi)
    mixture = density.mean(1)
    integrand = np.where(density > 0, density * np.log2(np.maximum(density, 1e-300) /
                                                        mixture[:, None]), 0).mean(1)
    information = np.trapezoid(integrand, line)
    assert information - .1 < result.bits.mean() < information + .02 < 2.02


def test_deterministic_whatever_the_global_seed():
    who = frames({k: 20 for k in range(4)})
    x = np.random.default_rng(1).standard_normal((len(who), 6)) + who[:, None] * 0.4
    torch.manual_seed(1)
    first = identity_probe(x, who, 14, 6, seed=3)
    torch.manual_seed(2)
    second = identity_probe(x, who, 14, 6, seed=3)
    assert first.paper_epochs == second.paper_epochs
    np.testing.assert_array_equal(first.logistic, second.logistic)
    assert first.interval() == second.interval()


def test_subjects_with_too_few_frames_are_listed(caplog):
    logger = MMLogger.get_current_instance()
    before = logger.level  # an earlier test may have made it quiet
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.WARNING)
    try:
        with caplog.at_level(logging.WARNING):
            result = identity_probe(np.eye(3)[np.repeat([0, 1, 2], [10, 10, 4])],
                                    np.repeat([0, 1, 6], [10, 10, 4]), 7, 3)
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(before)
    assert result.split.left_out == {6: 4} and result.subjects == (0, 1)
    assert '6: 4' in caplog.text


def test_paper_recipe_step_by_step():
    """Its first epoch equals the same steps written with torch's own scheduler and loss."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 40)
    x = rng.standard_normal((160, 8)).astype(np.float32) + np.eye(4, 8, dtype=np.float32)[y] * 2
    got = paper_probe(x, y, x, seed=7, epochs=3, warmup=1)

    generator = torch.Generator().manual_seed(7)
    layer = torch.nn.Linear(8, 4, bias=False)
    torch.nn.init.trunc_normal_(layer.weight, std=2e-5, generator=generator)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=2e-4 / 4, weight_decay=0.05)
    curve = [0, .5, 1, .5 * (1 + np.cos(np.pi / 4)), .5, .5 * (1 + np.cos(3 * np.pi / 4))]
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (curve + [0])[step])
    for epoch in range(3):
        order = torch.randperm(160, generator=generator)
        for rows in (order[:64], order[64:128]):
            target = torch.zeros(64, 4)
            target[torch.arange(64), torch.as_tensor(y)[rows]] = 1
            probability = torch.sigmoid(layer(torch.as_tensor(x)[rows]))
            loss = -(target * probability.log() + (1 - target) * (1 - probability).log()).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
        expected = (torch.as_tensor(x) @ layer.weight.T).argmax(1)
        assert (torch.as_tensor(got[epoch]) == expected).float().mean() > 0.99


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match='1 subjects have 70 [+] 30 frames.*1: 99'):
        split_frames(np.repeat([0, 1], [100, 99]))
    with pytest.raises(ValueError, match='finite'):
        identity_probe(np.full((4, 2), np.nan), np.zeros(4))
    with pytest.raises(ValueError, match='test=0'):
        split_frames(np.zeros(4), 1, 0)


def test_no_sequence_is_on_both_sides():
    rng = np.random.default_rng(0)
    who = np.repeat([0, 1, 2, 3], 60)
    sequences = np.array([f'T{k}' for k in rng.integers(0, 4, 240)])
    sequences[who == 2] = 'T1'  # one sequence: nothing to test on
    sequences[(who == 3) & (rng.random(240) < .8)] = ''  # too few frames that say theirs
    split = split_frames(who, train=20, test=10, seed=2, sequences=sequences)
    assert split.subjects == (0, 1) and split.left_out == {2: 60, 3: 60}
    for place, subject in enumerate(split.subjects):
        train = split.train[20 * place:20 * (place + 1)]
        test = split.test[10 * place:10 * (place + 1)]
        assert (who[train] == subject).all() and (who[test] == subject).all()
        assert len(set(train)) == 20 and len(set(test)) == 10
        assert not set(sequences[train]) & set(sequences[test])
        sizes = {name: ((who == subject) & (sequences == name)).sum() for name in sequences[test]}
        others = [((who == subject) & (sequences == name)).sum() for name in sequences[train]]
        assert max(sizes.values()) <= min(others)  # the short sequences test
    with pytest.raises(ValueError, match='frames in different sequences'):
        split_frames(who, 20, 10, sequences=np.full(240, 'T1'))


def test_a_feature_of_the_sequence_flatters_random_frames_only():
    """Every sequence has a code of its own: seen in training it tells the person, else nothing."""
    who = np.repeat(np.arange(6), 120)
    sequence = np.tile(np.repeat(np.arange(4), 30), 6)
    codes = np.random.default_rng(0).standard_normal((24, 40))
    features = codes[4 * who + sequence] + .1 * np.random.default_rng(1).standard_normal((720, 40))
    names = np.array([f'T{k}' for k in sequence])
    random = identity_probe(features, who)
    other = identity_probe(features, who, sequences=names)
    assert random.accuracy() == 1 and other.accuracy() < .5
