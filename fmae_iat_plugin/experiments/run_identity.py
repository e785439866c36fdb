# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the features of runs know of who people are: probes, nearest neighbours, verification."""

from functools import partial
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.evaluation import ProbeResult, bootstrap_mean, identity_probe
from fmae_iat_plugin.evaluation.identity_probe import logistic_probe
from fmae_iat_plugin.evaluation.intervals import bootstrap_draws, bootstrap_p
from fmae_iat_plugin.evaluation.nested import (
    Effect,
    crossed,
    effects,
    training_units,
    unit_means,
)
from fmae_iat_plugin.evaluation.predictions import read_predictions
from fmae_iat_plugin.evaluation.verification import Verification, verification
from fmae_iat_plugin.parallel import run_parallel

from .run_features import PIXELS, UNTRAINED, read_features
from .run_plan import Run

KINDS = ('paper', 'logistic', 'bits')
_EER_RESAMPLES = 2000


class RunIdentity(NamedTuple):
    """Of one run; None where there are too few people or frames, which ``notes`` say.

    Attributes:
        random (ProbeResult | None): Probe, frames drawn at random.
        sequences (ProbeResult | None): Probe by sequence.
        purity (tuple | None): kNN identity purity of the probe's test frames, and its chance.
        pairs (Verification | None): Of the people of the test fold, whom no layer ever saw.
        names (tuple[str]): Of all people.
        notes (tuple[str]): Why something is None.
        training (tuple[int, int]): Split and seed of the run.
        controls (dict[str, np.ndarray]): Accuracy of each person, in the order of the probe that it
            stands beside, of the same logistic regression on what was never trained
            (:class:`~.run_features.RunFeatures`); empty if it was not asked for.
    """

    random: Optional[ProbeResult]
    sequences: Optional[ProbeResult]
    purity: Optional[Tuple[float, float]]
    pairs: Optional[Verification]
    names: Tuple[str, ...]
    notes: Tuple[str, ...]
    training: Tuple[int, int] = (0, 0)
    controls: Dict[str, np.ndarray] = {}

    @property
    def strictest(self) -> Optional[ProbeResult]:
        """The probe by sequence, or that of random frames where there is none."""
        return self.random if self.sequences is None else self.sequences


def run_identity(run: Run, frames: Tuple[int, int], sequence_frames: Tuple[int, int],
                 seed: int = 0, controlled: Sequence[str] = ()) -> RunIdentity:
    """Measure one run, whose features are stored.

    Args:
        run: A finished run.
        frames, sequence_frames: (train, test) frames a person, at random and by sequence.
        seed: Of all draws.
        controlled: Folders of the runs whose controls are probed as well.
    """
    from fmae_iat_plugin.visualization.tsne import identity_purity
    found, notes = read_features(run.features), []

    def attempt(measure: Callable):
        try:
            return measure()
        except ValueError as error:  # too few people or frames
            notes.append(str(error))
            return None

    random = attempt(lambda: identity_probe(found.features, found.subjects, *frames, seed=seed))
    by_sequence = None
    if (found.sequences != '').any():
        by_sequence = attempt(lambda: identity_probe(
            found.features, found.subjects, *sequence_frames, seed=seed,
            sequences=found.sequences))
    purity = None
    if random is not None:
        rows = random.split.test
        purity = attempt(lambda: identity_purity(found.features[rows], found.subjects[rows]))
    tested = np.isin(found.subjects, np.unique(read_predictions(run.predictions).subjects))
    pairs = attempt(lambda: verification(found.features[tested], found.subjects[tested],
                                         found.sequences[tested], seed=seed))
    measured = RunIdentity(random, by_sequence, purity, pairs, found.names, tuple(notes),
                           run.training)
    probe = measured.strictest
    if probe is None or run.work_dir not in controlled:
        return measured
    return measured._replace(controls={
        name: _accuracy(values.astype(np.float32), probe)
        for name, values in found.controls.items()})


def _accuracy(values: np.ndarray, probe: ProbeResult) -> np.ndarray:
    """``[S]`` of a logistic regression on ``values`` ``[N, D]``, on the frames of a probe."""
    people = len(probe.subjects)
    train_y, right = (np.repeat(np.arange(people), n) for n in (probe.train, probe.test))
    said = logistic_probe(values[probe.split.train], train_y, values[probe.split.test]).argmax(1)
    return (said == right).reshape(people, probe.test).mean(1)


def measure(runs: Sequence[Run], frames: Tuple[int, int], sequence_frames: Tuple[int, int],
            seed: int = 0, workers: int = 1,
            controlled: Sequence[str] = ()) -> Dict[str, RunIdentity]:
    """:func:`run_identity` of all runs with features, by their folders, over processes."""
    runs = [run for run in runs if run.features.is_file()]
    work = partial(run_identity, frames=frames, sequence_frames=sequence_frames, seed=seed,
                   controlled=tuple(controlled))
    return dict(zip([run.work_dir for run in runs],
                    run_parallel(work, runs, workers, 'Probing identity')))


Values = Dict[str, float]


def by_training(found: Sequence[RunIdentity],
                value: Callable[[RunIdentity], Optional[Values]]) -> Tuple[List[str], np.ndarray]:
    """One number for each independent training and person, ``[K, S]``, and the S names: the people
    that every training has, averaged over the runs of a training.

    Args:
        found: Of the runs of an experiment.
        value: Of a run: person -> number; None if it has none.
    """
    each = [(one.training, value(one)) for one in found]
    known = [(training, values) for training, values in each if values is not None]
    if not known:
        return [], np.zeros((0, 0))
    units = training_units(*zip(*(training for training, _ in known)))
    collected: Dict[int, Dict[str, List[float]]] = {}
    for unit, (_, values) in zip(units, known):
        for name, number in values.items():
            collected.setdefault(unit, {}).setdefault(name, []).append(number)
    names = sorted(set.intersection(*(set(people) for people in collected.values())))
    return names, np.array([[float(np.mean(people[name])) for name in names]
                            for _, people in sorted(collected.items())])


def probe_values(one: RunIdentity, split: str, kind: str) -> Optional[Values]:
    """Accuracy of each person within 0..1, or bits.

    Args:
        split: ``'random'``, ``'sequences'`` or ``'strictest'``.
        kind: One of :data:`KINDS`.
    """
    probe = getattr(one, split)
    return None if probe is None else {
        one.names[subject]: float(value)
        for subject, value in zip(probe.subjects, getattr(probe, kind))}


def mean_effect(table: np.ndarray) -> Optional[Effect]:
    """Mean of a table ``[K, S]`` with its interval over people and trainings; None for fewer than
    two people."""
    if table.size == 0 or table.shape[1] < 2:
        return None
    mean = float(table.mean())
    if len(table) > 1:
        return crossed(table, mean)
    draws = bootstrap_draws(lambda draws: draws @ table[0] / draws.sum(1), table.shape[1])
    return Effect(mean, bootstrap_mean(table[0]), bootstrap_p(draws, table.shape[1]), 1)


def probe_table(found: Sequence[RunIdentity], split: str) -> Optional[dict]:
    """Of an experiment: accuracies and bits averaged over runs, 95 % intervals over people and
    trainings."""
    probes = [getattr(one, split) for one in found if getattr(one, split) is not None]
    if not probes:
        return None
    names, _ = by_training(found, partial(probe_values, split=split, kind='paper'))
    table = dict(people=len(names), train=probes[0].train,
                 test=probes[0].test, chance=100 * probes[0].chance, runs=len(probes),
                 most_bits=float(np.log2(len(probes[0].subjects))),
                 left_out={found[0].names[k]: n for k, n in probes[0].split.left_out.items()},
                 epochs=(100 * np.mean([probe.paper_epochs for probe in probes], axis=0)).tolist())
    for kind in KINDS:
        _, values = by_training(found, partial(probe_values, split=split, kind=kind))
        factor = 1 if kind == 'bits' else 100
        effect = mean_effect(factor * values)
        low, high = effect.interval
        # a share is within 0 and 1, however far Student's t reaches
        table[kind] = dict(mean=effect.mean, interval=[low, high] if kind == 'bits' else
                           [max(low, 0.0), min(high, 100.0)])
    return table


def probe_fall(base: Sequence[RunIdentity], ours: Sequence[RunIdentity], split: str,
               kind: str) -> Optional[Effect]:
    """By how much ``ours`` is lower than ``base``, paired over people and trainings; in percent
    points, or bits."""
    (names, a), (others, b) = (by_training(part, partial(probe_values, split=split, kind=kind))
                               for part in (base, ours))
    common = [name for name in names if name in others]
    if len(common) < 2 or len(a) != len(b):
        return None
    table = (a[:, [names.index(name) for name in common]]
             - b[:, [others.index(name) for name in common]])
    return mean_effect(table * (1 if kind == 'bits' else 100))


def control_falls(found: Sequence[RunIdentity]) -> Dict[str, dict]:
    """For each control: its accuracy in percent, and by how many points it is lower than that of
    the feature, with the same probe on the same frames.

    Returns:
        dict: Control -> ``mean`` of the control, ``fall`` (an :class:`Effect`).
    """
    out = {}
    for control in (PIXELS, UNTRAINED):
        if any(control not in one.controls for one in found):
            continue

        def less(one: RunIdentity, control: str = control) -> Values:
            values = probe_values(one, 'strictest', 'logistic')
            return {name: number - float(other) for (name, number), other in zip(
                values.items(), one.controls[control])}

        _, table = by_training(found, less)
        fall = mean_effect(100 * table)
        if fall is not None:
            out[control] = dict(fall=fall, mean=100 * float(np.mean(
                [one.controls[control].mean() for one in found])))
    return out


def eer_table(found: Sequence[RunIdentity],
              less: Sequence[RunIdentity] = ()) -> Optional[dict]:
    """Equal error rate in percent, averaged over runs, with its 95 % interval over people and
    trainings; with ``less`` the difference from those runs, of which there must be as many, of the
    same people and trainings."""
    found, less = ([one for one in part if one.pairs is not None] for part in (found, less))
    if not found or less and [one.training for one in less] != [one.training for one in found]:
        return None
    people = sorted({one.names[k] for one in found for k in one.pairs.subjects})
    if len(people) < 2:
        return None

    def rate(part: Sequence[RunIdentity], draws: np.ndarray) -> np.ndarray:
        each = []
        for one in part:
            places = [people.index(one.names[k]) for k in one.pairs.subjects]
            each.append(one.pairs.eer(draws[:, places]))
        return unit_means(np.stack(each), [0] * len(each))[0]

    def statistic(draws: np.ndarray, training: Tuple[int, int]) -> np.ndarray:
        first, second = ([one for one in part if one.training == training]
                         for part in (found, less))
        return 100 * (rate(first, draws) - (rate(second, draws) if less else 0))[:, None]

    trainings = sorted({one.training for one in found})
    effect, = effects([partial(statistic, training=training) for training in trainings],
                      len(people), training_units(*zip(*trainings)), resamples=_EER_RESAMPLES)
    pairs = np.array([one.pairs.pairs for one in found])
    return dict(mean=effect.mean, interval=list(effect.interval), p=effect.p,
                trainings=effect.trainings, people=len(people), runs=len(found),
                same=int(pairs[:, 0].sum()), other=int(pairs[:, 1].sum()))


def purity_table(found: Sequence[RunIdentity]) -> Optional[dict]:
    """kNN identity purity and its chance level in percent, averaged over runs."""
    values = [one.purity for one in found if one.purity is not None]
    if not values:
        return None
    mean, chance = 100 * np.mean(values, axis=0)
    return dict(mean=float(mean), chance=float(chance))
