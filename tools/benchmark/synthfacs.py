# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How many SynthFACS faces one core renders a second.

    python tools/benchmark/synthfacs.py [--size 224] [--faces 300] [--identities 20]

Prints, for painting new identities and for faces of known ones, the faces per second of CPU time:
over all of them, and in the best batch of 10. On a machine that other programs share (caches and
all) the best batch is nearer to what a core of one's own does.
"""
import argparse
import os
import time

for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from fmae_iat_plugin.synthfacs.renderer import render  # noqa: E402
from fmae_iat_plugin.synthfacs.renderer.sampling import sample_intensities, sample_view  # noqa: E402


def timed(function, jobs: list, batch: int = 10) -> tuple[float, float]:
    """Jobs per second of CPU time: over all jobs, and in the best batch."""
    times = []
    for k in range(0, len(jobs), batch):
        part, start = jobs[k:k + batch], time.process_time()
        for job in part:
            function(*job)
        times.append((time.process_time() - start, len(part)))
    return (len(jobs) / sum(t for t, _ in times), max(n / t for t, n in times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=224)
    parser.add_argument('--faces', type=int, default=300)
    parser.add_argument('--identities', type=int, default=20)
    parser.add_argument('--framing', default='crop', choices=('crop', 'portrait'))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    new = [(seed, {}, None, None, args.size, args.framing) for seed in range(args.identities)]
    jobs, frontal = [], []
    for k in range(args.faces):
        aus = sample_intensities(rng)
        pose, light, camera = sample_view(rng)
        seed = args.identities - 1 - k % min(args.identities, 16)    # those still cached
        jobs.append((seed, aus, pose, light, args.size, args.framing, camera))
        frontal.append((seed, aus, None, None, args.size, args.framing))
    for name, work in (('new identities', new), ('frontal faces', frontal),
                       ('any pose, light, camera', jobs)):
        mean, best = timed(render, work)
        print(f'{name}: {mean:.1f} per CPU second, {best:.1f} in the best batch')


if __name__ == '__main__':
    main()
