# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the features of runs know of who people are: probes, nearest neighbours, verification."""

from functools import partial
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.evaluation import ProbeResult, bootstrap, bootstrap_mean, identity_probe
from fmae_iat_plugin.evaluation.predictions import read_predictions
from fmae_iat_plugin.evaluation.verification import Verification, verification
from fmae_iat_plugin.parallel import run_parallel

from .run_features import read_features
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
    """

    random: Optional[ProbeResult]
    sequences: Optional[ProbeResult]
    purity: Optional[Tuple[float, float]]
    pairs: Optional[Verification]
    names: Tuple[str, ...]
    notes: Tuple[str, ...]


def run_identity(run: Run, frames: Tuple[int, int], sequence_frames: Tuple[int, int],
                 seed: int = 0) -> RunIdentity:
    """Measure one run, whose features are stored.

    Args:
        run: A finished run.
        frames, sequence_frames: (train, test) frames a person, at random and by sequence.
        seed: Of all draws.
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
    return RunIdentity(random, by_sequence, purity, pairs, found.names, tuple(notes))


def measure(runs: Sequence[Run], frames: Tuple[int, int], sequence_frames: Tuple[int, int],
            seed: int = 0, workers: int = 1) -> Dict[str, RunIdentity]:
    """:func:`run_identity` of all runs with features, by their folders, over processes."""
    runs = [run for run in runs if run.features.is_file()]
    work = partial(run_identity, frames=frames, sequence_frames=sequence_frames, seed=seed)
    return dict(zip([run.work_dir for run in runs],
                    run_parallel(work, runs, workers, 'Probing identity')))


def by_subject(found: Sequence[RunIdentity], split: str, kind: str) -> Dict[str, float]:
    """Mean over runs for each person: accuracy within 0..1, or bits.

    Args:
        found: Of the runs of an experiment.
        split: ``'random'`` or ``'sequences'``.
        kind: One of :data:`KINDS`.
    """
    values: Dict[str, List[float]] = {}
    for one in found:
        probe = getattr(one, split)
        if probe is not None:
            for subject, value in zip(probe.subjects, getattr(probe, kind)):
                values.setdefault(one.names[subject], []).append(float(value))
    return {name: float(np.mean(values[name])) for name in sorted(values)}


def probe_table(found: Sequence[RunIdentity], split: str) -> Optional[dict]:
    """Of an experiment: accuracies and bits averaged over runs, 95 % intervals over people."""
    probes = [getattr(one, split) for one in found if getattr(one, split) is not None]
    if not probes:
        return None
    table = dict(people=len(by_subject(found, split, 'paper')), train=probes[0].train,
                 test=probes[0].test, chance=100 * probes[0].chance, runs=len(probes),
                 most_bits=float(np.log2(len(probes[0].subjects))),
                 left_out={found[0].names[k]: n for k, n in probes[0].split.left_out.items()},
                 epochs=(100 * np.mean([probe.paper_epochs for probe in probes], axis=0)).tolist())
    for kind in KINDS:
        values = np.array(list(by_subject(found, split, kind).values()))
        factor = 1 if kind == 'bits' else 100
        table[kind] = dict(mean=factor * float(values.mean()),
                           interval=[factor * v for v in bootstrap_mean(values)])
    return table


def probe_fall(base: Sequence[RunIdentity], ours: Sequence[RunIdentity], split: str,
               kind: str) -> Optional[Tuple[float, Tuple[float, float]]]:
    """By how much ``ours`` is lower than ``base``, and its interval, paired over people; in
    percent points, or bits."""
    a, b = (by_subject(part, split, kind) for part in (base, ours))
    names = sorted(a.keys() & b.keys())
    if len(names) < 2:
        return None
    values = np.array([a[name] - b[name] for name in names]) * (1 if kind == 'bits' else 100)
    return float(values.mean()), bootstrap_mean(values)


def eer_table(found: Sequence[RunIdentity],
              less: Sequence[RunIdentity] = ()) -> Optional[dict]:
    """Equal error rate in percent, averaged over runs, with its 95 % interval over people; with
    ``less`` the difference from those runs, of which there must be as many, of the same people."""
    found, less = ([one for one in part if one.pairs is not None] for part in (found, less))
    if not found or less and len(less) != len(found):
        return None
    people = sorted({one.names[k] for one in found for k in one.pairs.subjects})

    def mean_eer(part: Sequence[RunIdentity], draws: np.ndarray) -> np.ndarray:
        each = []
        for one in part:
            places = [people.index(one.names[k]) for k in one.pairs.subjects]
            each.append(one.pairs.eer(draws[:, places]))
        values = np.stack(each)
        known = ~np.isnan(values)
        number = known.sum(0)
        return np.where(number > 0, np.where(known, values, 0).sum(0) / np.maximum(number, 1),
                        np.nan)

    def statistic(draws: np.ndarray) -> np.ndarray:
        return 100 * (mean_eer(found, draws) - (mean_eer(less, draws) if less else 0))

    pairs = np.array([one.pairs.pairs for one in found])
    return dict(mean=float(statistic(np.ones((1, len(people)), int))[0]),
                interval=list(bootstrap(statistic, len(people), resamples=_EER_RESAMPLES)),
                people=len(people), runs=len(found), same=int(pairs[:, 0].sum()),
                other=int(pairs[:, 1].sum()))


def purity_table(found: Sequence[RunIdentity]) -> Optional[dict]:
    """kNN identity purity and its chance level in percent, averaged over runs."""
    values = [one.purity for one in found if one.purity is not None]
    if not values:
        return None
    mean, chance = 100 * np.mean(values, axis=0)
    return dict(mean=float(mean), chance=float(chance))
