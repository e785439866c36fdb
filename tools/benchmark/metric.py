# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Time the paper's threshold sweep (99 thresholds x 12 AUs) against scikit-learn's f1_score.

    python tools/benchmark/metric.py [FOLDER]

FOLDER holds BP4D's labels per frame as ``bp4d_part*.csv.gz`` (image path, then 12 columns of 0/1,
9 = not coded). Without it, labels are drawn with BP4D's prevalence. Scores are simulated. Needs
scikit-learn.
"""
import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from fmae_iat_plugin.evaluation.scores import PAPER_THRESHOLDS, paper_f1

NUM_FRAMES = 146423
PREVALENCE = np.array((21.1, 17.0, 20.3, 46.1, 54.9, 59.4, 56.2, 46.6, 16.9, 34.4, 16.5,
                       15.1)) / 100


def load_labels(folder: str) -> np.ndarray:
    """``[N, 12]`` of 0, 1, NaN from ``bp4d_part*.csv.gz``."""
    files = sorted(Path(folder).glob('bp4d_part*.csv.gz'))
    if not files:
        raise SystemExit(f'{folder}: no bp4d_part*.csv.gz there')
    labels = np.concatenate([
        np.loadtxt(file, delimiter=',', skiprows=1, usecols=range(1, 13), dtype=np.float32)
        for file in files])
    return np.where(labels == 9, np.nan, labels)


def sklearn_sweep(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Threshold and per-AU F1 of the paper's protocol, one f1_score call each."""
    columns = []
    for score, label in zip(scores.T, labels.T):
        coded = ~np.isnan(label)
        score, label = score[coded], label[coded].astype(np.int8)
        columns.append([f1_score(label, score >= np.float32(threshold), zero_division=0)
                        for threshold in PAPER_THRESHOLDS])
    f1 = np.array(columns).T
    best = f1.mean(axis=1).argmax()
    return PAPER_THRESHOLDS[best], f1[best]


def main(argv: list[str] | None = None) -> float:
    """Print both times and return their ratio; fails if the results differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', help='folder with bp4d_part*.csv.gz')
    parser.add_argument('--frames', type=int, default=NUM_FRAMES, help='without a folder')
    parser.add_argument('--repeats', type=int, default=5, help='of ours; the median counts')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)

    rng = np.random.default_rng(args.seed)
    labels = (load_labels(args.folder) if args.folder else
              (rng.random((args.frames, len(PREVALENCE))) < PREVALENCE).astype(np.float32))
    logits = rng.normal(2 * np.nan_to_num(labels) - 1.5, 1.2)
    scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
    print(f'{labels.shape[0]} frames x {labels.shape[1]} AUs, labels '
          f'{"of " + args.folder if args.folder else "random"}, scores simulated, '
          f'seed {args.seed}')

    times = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        threshold, f1 = paper_f1(scores, labels)
        times.append(time.perf_counter() - start)
    ours = float(np.median(times))
    print(f'paper_f1:                      {ours:9.4f} s (median of {args.repeats})')
    start = time.perf_counter()
    reference_threshold, reference = sklearn_sweep(scores, labels)
    theirs = time.perf_counter() - start
    print(f'scikit-learn, {PAPER_THRESHOLDS.size} x {labels.shape[1]} calls: {theirs:9.4f} s')

    if threshold != reference_threshold or np.abs(f1 - reference).max() > 1e-12:
        raise SystemExit(f'the results differ: {threshold} {f1} and {reference_threshold} '
                         f'{reference}')
    print(f'both: threshold {threshold:.2f}, mean F1 {100 * f1.mean():.4f} %')
    print(f'ratio: {theirs / ours:.0f}x')
    return theirs / ours


if __name__ == '__main__':
    main()
