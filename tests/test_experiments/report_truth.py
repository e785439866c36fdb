# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every number of a report, computed again from what the runs stored.

Nothing of the report's own code is called but for the draws of frames (``split_frames``) and the
paper's probe itself, which have tests of their own.
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from fmae_iat_plugin.evaluation.identity_probe import paper_probe, split_frames

THRESHOLD = 0.5


def nan_mean(values, axis=0):
    values = np.asarray(values, dtype=float)
    known = ~np.isnan(values)
    number = known.sum(axis)
    return np.where(number, np.where(known, values, 0).sum(axis) / np.maximum(number, 1), np.nan)


def interval(statistic, people, seed=0, resamples=10000):
    """Expanded percentile interval (Hesterberg, 2015)."""
    draws = np.random.default_rng(seed).multinomial(people, [1 / people] * people, resamples)
    values = statistic(draws)
    values = values[~np.isnan(values)]
    if len(values) < resamples / 2:
        return [None, None]
    alpha = stats.norm.cdf(-np.sqrt(people / (people - 1)) * stats.t.ppf(.975, people - 1))
    return np.quantile(values, [alpha, 1 - alpha]).tolist()


def crossed(table, mean):
    """Interval and p of people and trainings, from sums of squares (Cornfield and Tukey, 1956)."""
    k, s = table.shape
    total = ((table - table.mean())**2).sum()
    people = k * ((table.mean(0) - table.mean())**2).sum()
    trainings = s * ((table.mean(1) - table.mean())**2).sum()
    a, b, ab = people / (s - 1), trainings / (k - 1), (total - people - trainings) / (
        (k - 1) * (s - 1))
    square, parts = a, [(a, s - 1)]
    if b > ab:
        square, parts = a + b - ab, [(a, s - 1), (b, k - 1), (ab, (k - 1) * (s - 1))]
    df = max(square**2 / sum(part**2 / n for part, n in parts), min(k, s) - 1)
    spread = stats.t(df, 0, np.sqrt(square / (k * s)))
    return [mean - spread.ppf(.975), mean + spread.ppf(.975)], 2 * spread.sf(abs(mean))


def nested(trainings, people, seed=0, resamples=10000):
    """Of statistics ``draws -> [R]`` of K trainings: mean, interval, p."""
    def mean(draws):
        return nan_mean([one(draws) for one in trainings])
    whole = mean(np.ones((1, people)))[0]
    if len(trainings) == 1:
        draws = np.random.default_rng(seed).multinomial(people, [1 / people] * people, resamples)
        values = mean(draws)
        share = min((values <= 0).mean(), (values >= 0).mean())
        p = 2 * stats.t.cdf(stats.norm.ppf(max(share, .5 / resamples)) * np.sqrt(
            (people - 1) / people), people - 1)
        return whole, interval(mean, people, seed, resamples), p
    table = []
    for one in trainings:
        all_of, row = one(np.ones((1, people)))[0], []
        for k in range(people):
            left = np.ones((1, people))
            left[0, k] = 0
            row.append(people * all_of - (people - 1) * one(left)[0])
        table.append(row)
    table = np.array(table)
    if np.isnan(table).any():
        return whole, [None, None], None
    return whole, *crossed(table, whole)


class Stored:
    """The files of one run."""

    def __init__(self, run):
        self.fold, self.seed, self.dir = run.fold, run.seed, Path(run.work_dir)
        data = np.load(run.predictions)
        self.scores, self.labels = data['scores'].astype(float), data['labels'].astype(float)
        self.classes = list(map(str, data['classes']))
        names = list(map(str, data['subjects']))
        self.who = np.array([names[k] for k in data['subject']])
        self.log = [json.loads(line) for file in sorted(self.dir.glob('*/vis_data/scalars.json'))
                    for line in file.read_text().splitlines()]
        self.features = np.load(run.features) if run.features.is_file() else None

    def epochs(self, key):
        return {row['step']: row[key] for row in self.log if key in row and 'epoch' not in row}

    def best(self):
        curve = self.epochs('paper/f1')
        step = max(curve, key=lambda step: (curve[step], -step))
        return step, curve[step]


def f1(truth, said):
    """F1 in percent of 0/1 arrays; NaN without a positive."""
    return 100 * f1_score(truth, said, zero_division=0) if truth.any() else np.nan


def counts(parts, names, column):
    """[people, 3] tp, fp, fn."""
    out = np.zeros((len(names), 3))
    for row, name in enumerate(names):
        for part in parts:
            mine = (part.who == name) & ~np.isnan(part.labels[:, column])
            truth = part.labels[mine, column] == 1
            said = part.scores[mine, column] >= THRESHOLD
            out[row] += (truth & said).sum(), (~truth & said).sum(), (truth & ~said).sum()
    return out


class Experiment:
    """F1 of an experiment, drawn person by person."""

    def __init__(self, runs):
        self.given, self.runs = runs, [Stored(run) for run in runs]
        self.again()

    def again(self):
        self.classes = self.runs[0].classes
        self.names = sorted(set(np.concatenate([run.who for run in self.runs])))
        self.seeds = sorted({run.seed for run in self.runs})
        self.pairs = {}
        self.table = [[counts([run for run in self.runs if run.seed == seed], self.names, k)
                       for k in range(len(self.classes))] for seed in self.seeds]
        return self

    @staticmethod
    def drawn(seed, draws):
        """[R, 1 + C] of one seed's counts: mean and each AU."""
        each = np.stack([np.where(
            one[:, 0] + one[:, 2] > 0,
            200 * one[:, 0] / np.maximum(2 * one[:, 0] + one[:, 1] + one[:, 2], 1), np.nan)
            for one in (draws @ table for table in seed)], 1)
        return np.concatenate([nan_mean(each, 1)[:, None], each], 1)

    def frames(self, number):
        """Scores, labels and people of a seed, all folds joined."""
        runs = [run for run in self.runs if run.seed == number]
        return [np.concatenate([getattr(run, key) for run in runs])
                for key in ('scores', 'labels', 'who')]

    def areas(self, number, draws):
        """[R, 1 + C] AUC in percent of a seed, from every pair of frames."""
        if number not in self.pairs:
            found, labels, who = self.frames(number)
            place = np.searchsorted(self.names, who)
            tables = []
            for k in range(len(self.classes)):
                up, down = (np.flatnonzero(labels[:, k] == value) for value in (1, 0))
                gap = np.subtract.outer(found[up, k], found[down, k])
                won = np.zeros((2, len(self.names), len(self.names)))
                for part, values in zip(won, ((np.sign(gap) + 1) / 2, np.ones_like(gap))):
                    np.add.at(part, (place[up][:, None], place[down][None]), values)
                tables.append(won)
            self.pairs[number] = tables
        each = np.stack([np.divide(*(np.einsum('ri,ij,rj->r', draws, part, draws)
                                     for part in tables)) for tables in self.pairs[number]], 1)
        return 100 * np.concatenate([nan_mean(each, 1)[:, None], each], 1)

    def columns(self, score, seed, other=None, resamples=10000):
        """mean, interval and p of each column, of the score or of its difference."""
        def statistic(k, one):
            def f1_of(draws):
                own = self.drawn(self.table[one], draws)[:, k]
                return own - (0 if other is None else other.drawn(other.table[one], draws)[:, k])

            def auc_of(draws):
                own = self.areas(self.seeds[one], draws)[:, k]
                return own - (0 if other is None else
                              other.areas(other.seeds[one], draws)[:, k])
            return f1_of if score == 'f1' else auc_of
        return [nested([statistic(k, one) for one in range(len(self.seeds))], len(self.names),
                       seed, resamples) for k in range(1 + len(self.classes))]

    def whole(self):
        return np.array([nan_mean([self.drawn(one, np.ones((1, len(self.names))))[0, k]
                                   for one in self.table])
                         for k in range(1 + len(self.classes))])

    def intervals(self, seed, other=None):
        return [span for _, span, _ in self.columns('f1', seed, other)]

    def auc_block(self, seed):
        found = self.columns('auc', seed)
        values, spans, _ = zip(*found)
        return dict(mean=values[0], interval=spans[0], aus=dict(zip(self.classes, values[1:])),
                    aus_intervals=dict(zip(self.classes, spans[1:])))

    def by_seed(self, function):
        return [function([run for run in self.runs if run.seed == seed]) for seed in self.seeds]

    def f1_block(self, seed):
        values, spans = self.whole(), self.intervals(seed)
        person = []
        for name in self.names:
            seeds = []
            for number in self.seeds:
                truth, said = (np.concatenate(x) for x in zip(*[
                    (run.labels[run.who == name], run.scores[run.who == name] >= THRESHOLD)
                    for run in self.runs if run.seed == number]))
                each = [f1(truth[~np.isnan(truth[:, k]), k] == 1, said[~np.isnan(truth[:, k]), k])
                        for k in range(len(self.classes))]
                seeds.append(nan_mean(each))
            person.append(float(nan_mean(seeds)))
        known = [k for k, value in enumerate(person) if not np.isnan(value)]
        worst = min(known, key=lambda k: person[k]) if known else None
        return dict(
            mean=values[0], interval=spans[0], aus=dict(zip(self.classes, values[1:])),
            aus_intervals=dict(zip(self.classes, spans[1:])), people=self.names, by_person=person,
            worst=None if worst is None else dict(name=self.names[worst], f1=person[worst]),
            median=float(np.median([person[k] for k in known])))

    def over_seeds(self):
        def pooled(score):
            def one(runs):
                labels = np.concatenate([run.labels for run in runs])
                found = np.concatenate([run.scores for run in runs])
                each = []
                for k in range(labels.shape[1]):
                    coded = ~np.isnan(labels[:, k])
                    each.append(score(labels[coded, k] == 1, found[coded, k]))
                return float(nan_mean(each))
            return one

        def auc(truth, found):
            return 100 * roc_auc_score(truth, found) if 0 < truth.mean() < 1 else np.nan

        f1_of = pooled(lambda truth, found: f1(truth, found >= THRESHOLD))
        values = dict(
            fold_mean=self.by_seed(lambda runs: np.mean([f1_of([run]) for run in runs])),
            pooled=self.by_seed(f1_of), auc=self.by_seed(pooled(auc)),
            paper=self.by_seed(lambda runs: np.mean([run.best()[1] for run in runs])))
        return {key: dict(mean=np.mean(found), std=np.std(found, ddof=1) if len(found) > 1 else
                          np.nan) for key, found in values.items()}

    def calibration(self):
        labels = np.concatenate([run.labels for run in self.runs]).ravel()
        found = np.concatenate([run.scores for run in self.runs]).ravel()[~np.isnan(labels)]
        labels = labels[~np.isnan(labels)]
        rows = []
        for k in range(10):
            inside = (found >= k / 10) & ((found < (k + 1) / 10) | (k == 9))
            rows.append((100 * found[inside].mean(), 100 * labels[inside].mean(), inside.sum())
                        if inside.any() else (np.nan, np.nan, 0))
        predicted, observed, number = map(list, zip(*rows))
        error = sum(n * abs(p - o) for p, o, n in rows if n) / sum(number)
        return dict(error=error, predicted=predicted, observed=observed, number=number)

    def together(self, of):
        """Percent, by loops; ``of`` is 'labels' or 'scores'."""
        labels = np.concatenate([run.labels for run in self.runs])
        said = labels == 1 if of == 'labels' else np.concatenate(
            [run.scores for run in self.runs]) >= THRESHOLD
        table = np.full((len(self.classes),) * 2, np.nan)
        for i in range(len(table)):
            for j in range(len(table)):
                coded = ~np.isnan(labels[:, i]) & ~np.isnan(labels[:, j]) & said[:, i]
                if coded.any():
                    table[i, j] = 100 * said[coded, j].mean()
        return table


class Probe:
    """The identity of one run."""

    def __init__(self, stored, frames, sequence_frames, seed):
        data = self.stored = stored.features
        self.seed = stored.seed
        x, who = data['features'], data['subjects']
        self.names = list(map(str, data['names']))
        sequences = data['sequences']
        self.random = self.one(x, who, frames, seed, None)
        self.sequences = self.one(x, who, sequence_frames, seed, sequences) \
            if (sequences != '').any() else None
        rows = self.random['rows']
        points = StandardScaler().fit_transform(x[rows].astype(float))
        near = NearestNeighbors(n_neighbors=11).fit(points).kneighbors(points)[1]
        same = [np.mean([who[rows][j] == who[rows][i] for j in others if j != i][:10])
                for i, others in enumerate(near)]
        number = np.unique(who[rows], return_counts=True)[1]
        self.purity = 100 * np.mean(same), 100 * (number * (number - 1)).sum() / (
            len(rows) * (len(rows) - 1))
        self.pairs(x, who, sequences, set(stored.who), seed)

    @staticmethod
    def one(x, who, frames, seed, sequences):
        try:
            split = split_frames(who, *frames, seed, sequences)
        except ValueError:
            return None
        y = who[split.train]
        scaler = StandardScaler().fit(x[split.train])
        model = LogisticRegression(max_iter=2000).fit(scaler.transform(x[split.train]), y)
        found = model.predict_proba(scaler.transform(x[split.test]))
        order = {subject: k for k, subject in enumerate(model.classes_)}
        paper = paper_probe(x[split.train], np.array([order[k] for k in y]), x[split.test],
                            seed=seed)
        out = dict(rows=split.test, split=split, frames=frames, subjects=list(model.classes_),
                   paper={}, logistic={}, bits={},
                   epochs=[np.mean(model.classes_[row] == who[split.test]) for row in paper])
        for subject, place in order.items():
            mine = np.flatnonzero(who[split.test] == subject)
            out['paper'][subject] = np.mean(paper[-1][mine] == place)
            out['logistic'][subject] = np.mean(found[mine].argmax(1) == place)
            out['bits'][subject] = np.log2(len(order)) + np.log2(found[mine, place]).mean()
        return out

    def pairs(self, x, who, sequences, tested, seed, frames=30):
        people = [k for k in np.unique(who) if self.names[k] in tested]
        rows = np.concatenate([np.random.default_rng([seed, int(k)]).permutation(
            np.flatnonzero(who == k))[:frames] for k in people])
        z = x[rows].astype(float)
        z = (z - z.mean(0)) / z.std(0)
        z /= np.linalg.norm(z, axis=1)[:, None]
        similarity, first, second = [], [], []
        for i in range(len(rows)):
            for j in range(i + 1, len(rows)):
                a, b = rows[i], rows[j]
                if who[a] == who[b] and sequences[a] == sequences[b] != '':
                    continue
                similarity.append(z[i] @ z[j])
                first.append(people.index(who[a]))
                second.append(people.index(who[b]))
        order = np.argsort(similarity)
        self.first, self.second = np.array(first)[order], np.array(second)[order]
        self.people = [self.names[k] for k in people]

    def eer(self, draws):
        """[R] percent, from all similarities in order."""
        same = self.first == self.second
        out = []
        for draw in draws:
            weight = np.where(same, draw[self.first], draw[self.first] * draw[self.second])
            genuine, other = weight * same, weight * ~same
            if not genuine.sum() or not other.sum():
                out.append(np.nan)
                continue
            reject = genuine.cumsum() / genuine.sum()
            accept = 1 - other.cumsum() / other.sum()
            at = np.argmax(reject >= accept)
            out.append(50 * (reject[at] + accept[at]))
        return np.array(out)


def probe_block(probes, split, seed=0):
    found = [(probe, getattr(probe, split)) for probe in probes
             if getattr(probe, split) is not None]
    if not found:
        return None
    one = found[0][1]
    out = dict(train=one['frames'][0], test=one['frames'][1], chance=100 / len(one['subjects']),
               runs=len(found), most_bits=np.log2(len(one['subjects'])),
               left_out={probes[0].names[k]: n for k, n in one['split'].left_out.items()},
               epochs=[100 * np.mean(values) for values in zip(*[f['epochs'] for _, f in found])])
    for kind in ('paper', 'logistic', 'bits'):
        names, table = person_values(found, kind)
        out['people'] = len(names)
        mean, (low, high), _ = of_people(table * (1 if kind == 'bits' else 100), seed)
        if kind != 'bits':
            low, high = max(low, 0), min(high, 100)
        out[kind] = dict(mean=mean, interval=[low, high])
    return out


def of_people(table, seed=0):
    """Mean, interval and p of a table [K, S]; of one training never beyond its people's values."""
    mean, (low, high), p = nested([lambda draws, row=row: draws @ row / draws.sum(1)
                                   for row in table], table.shape[1], seed)
    if len(table) == 1:
        low, high = max(low, table.min()), min(high, table.max())
    return mean, [low, high], p


def person_values(found, kind):
    """Names, and [K, S]: seeds by people."""
    seeds = sorted({probe.seed for probe, _ in found})
    names = sorted({probe.names[k] for probe, one in found for k in one['subjects']})
    return names, np.array([[np.mean([one[kind][k] for probe, one in found for k in one['subjects']
                                      if probe.seed == seed and probe.names[k] == name])
                             for name in names] for seed in seeds])


def fall(base, ours, split, kind):
    values = []
    for probes in (base, ours):
        found = [(probe, getattr(probe, split)) for probe in probes if getattr(probe, split)]
        if not found:
            return None
        values.append(person_values(found, kind)[1])
    mean, span, p = of_people((values[0] - values[1]) * (1 if kind == 'bits' else 100))
    return dict(mean=mean, interval=span, p=p, trainings=len(values[0]))


def control_block(probes):
    """By how much the controls are worse than the feature, by sequence."""
    out = {}
    for control in ('pixels', 'untrained'):
        found = []
        for probe in probes:
            own, split = probe.sequences, probe.sequences['split']
            x, y = probe.stored[control].astype(float), probe.stored['subjects']
            scaler = StandardScaler().fit(x[split.train])
            model = LogisticRegression(max_iter=2000).fit(scaler.transform(x[split.train]),
                                                          y[split.train])
            right = model.predict(scaler.transform(x[split.test])) == y[split.test]
            found.append((probe, dict(subjects=own['subjects'], control={
                k: right[y[split.test] == k].mean() for k in own['subjects']})))
        table = person_values([(probe, probe.sequences) for probe in probes], 'logistic')[1]
        other = person_values(found, 'control')[1]
        mean, span, p = of_people(100 * (table - other))
        out[control] = dict(mean=100 * other.mean(), fall=dict(mean=mean, interval=span, p=p,
                                                               trainings=len(table)))
    return out


def eer_block(probes, less=(), resamples=2000):
    people = sorted({name for probe in probes for name in probe.people})
    seeds = sorted({probe.seed for probe in probes})

    def mean(part, draws):
        return nan_mean([probe.eer(draws[:, [people.index(name) for name in probe.people]])
                         for probe in part])

    def statistic(draws, seed):
        first, second = ([probe for probe in part if probe.seed == seed]
                         for part in (probes, less))
        return mean(first, draws) - (mean(second, draws) if less else 0)
    value, span, p = nested([lambda draws, seed=seed: statistic(draws, seed) for seed in seeds],
                            len(people), 0, resamples)
    return dict(mean=value, people=len(people), interval=span, p=p, runs=len(probes),
                trainings=len(seeds),
                same=sum((probe.first == probe.second).sum() for probe in probes),
                other=sum((probe.first != probe.second).sum() for probe in probes))


def noise_floor(first, second):
    """Student's reach of the difference of two means (scipy)."""
    if min(len(first), len(second)) < 2:
        return None
    span = stats.ttest_ind(first, second).confidence_interval(.95)
    return (span.high - span.low) / 2
