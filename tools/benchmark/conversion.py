# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How many images a second a conversion takes from videos, with 1, 2, ... processes.

    python tools/benchmark/conversion.py [--workers 1 2] [--backend loky] [--size 512] [--frames 60]

Writes an emulated BP4D release (rendered faces, MJPG videos) to a temporary folder and converts it
to JPEG images and the annotation table, several times. The processes are started before the
clock, for a real release takes hours. The quickest run counts: on a machine that other programs
share it is nearest to what one's own would do.
"""
import argparse
import os
import tempfile
import time
from pathlib import Path

for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmengine.logging import MMLogger  # noqa: E402

from fmae_iat_plugin.action_units import parse_au  # noqa: E402
from fmae_iat_plugin.converters import convert_bp4d  # noqa: E402
from fmae_iat_plugin.parallel import BACKENDS, Workers, run_parallel  # noqa: E402
from fmae_iat_plugin.synthfacs.releases import write_bp4d  # noqa: E402


def seconds(release: Path, workers: Workers, repeats: int) -> tuple:
    """Images, and the shortest time to convert ``release``."""
    run_parallel(parse_au, [1] * 4 * workers.number, workers, 'Starting processes')
    times = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(dir=release.parent) as out:
            start = time.perf_counter()
            summary = convert_bp4d(str(release), out, workers=workers)
            times.append(time.perf_counter() - start)
    return summary['frames'], min(times)


def main(argv=None) -> dict:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2], metavar='N')
    parser.add_argument('--backend', choices=BACKENDS, default='loky')
    parser.add_argument('--subjects', type=int, default=4)
    parser.add_argument('--frames', type=int, default=60, help='labelled frames per video')
    parser.add_argument('--size', type=int, default=512, help='side of the videos')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args(argv)
    MMLogger.get_current_instance().setLevel('ERROR')  # what a small release lacks
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        release = Path(folder, 'release')
        write_bp4d(release, subjects=args.subjects, tasks=['T1', 'T7'], frames=args.frames,
                   size=args.size, frames_as='videos', workers=1)
        print(f'{2 * args.subjects} videos of {args.size} x {args.size} pixels, {args.backend}, '
              f'best of {args.repeats}')
        for number in args.workers:
            images, time_taken = seconds(release, Workers(number, args.backend), args.repeats)
            rates[number] = images / time_taken
            print(f'{number} process{"es" if number > 1 else ""}: {rates[number]:.1f} images a '
                  f'second ({images} in {time_taken:.2f} s), '
                  f'{rates[number] / rates[args.workers[0]]:.2f} times the first')
    return rates


if __name__ == '__main__':
    main()
