# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How many photos a second a curation takes, beside the authors' way, with 1, 2, ... processes.

    python tools/benchmark/curate.py [--quick] [--photos FOLDER] [--workers 1 2]

Both read JPEG photos of 512 to 1,024 pixels from a folder and make JPEGs of 224 pixels of them. The
authors' way is rebuilt from library calls: Pillow decodes the whole file, drops it if its sides
differ by more than 1.5 times, resizes it, and saves it, file by file; here at our quality. Without
--photos, faces are rendered at these sizes, with the noise of a camera.

It takes CPU time of one process, the lowest of the repeats, so that other programs on the machine
count less; and wall time for several processes, which they do slow down. The last line is the ratio
of the first.
"""
import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'
os.environ.setdefault('FMAE_IAT_PLUGIN_LIGHT', '1')

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from fmae_iat_plugin.curation.pipeline import curate  # noqa: E402
from fmae_iat_plugin.curation.structures import Options, Source  # noqa: E402
from fmae_iat_plugin.parallel import Workers, run_parallel, usable_cores  # noqa: E402

SIZES = (512, 640, 768, 896, 1024)
OPTIONS = Options()
_DIFFERENT = 50  # photos


def write_photos(folder: Path, number: int) -> None:
    """Rendered faces as JPEG files of the sizes by turns; from the 51st on, the same ones again."""
    from fmae_iat_plugin.synthfacs.renderer.render import render
    generator = np.random.default_rng(0)
    faces = [render(seed, {12: 3}, size=512, framing='portrait')[0] for seed in range(2)]
    noise = generator.normal(0, 3, (max(SIZES), max(SIZES), 3)).astype(np.float32)
    for k in range(min(number, _DIFFERENT)):
        side = SIZES[k % len(SIZES)]
        image = cv2.resize(faces[k % 2], (side, side), interpolation=cv2.INTER_CUBIC)
        noisy = image + np.roll(noise, 37 * k, axis=(0, 1))[:side, :side]
        Image.fromarray(np.uint8(np.clip(noisy, 0, 255))).save(folder / f'{k:05d}.jpg', quality=90)
    for k in range(_DIFFERENT, number):
        shutil.copy(folder / f'{k % _DIFFERENT:05d}.jpg', folder / f'{k:05d}.jpg')


def authors_way(source: Path, out: Path, options: Options = OPTIONS) -> int:
    """Pillow, file by file; returns the number that is kept."""
    kept = 0
    for path in sorted(source.iterdir()):
        image = Image.open(path)
        width, height = image.size
        if max(width, height) > options.max_aspect * min(width, height):
            continue
        image.convert('RGB').resize((options.size, options.size)).save(
            out / path.name, quality=options.quality)
        kept += 1
    return kept


def ours(source: Path, out: Path, workers: int) -> int:
    """The whole curation: shards, index, manifest, contact sheet; the number that is kept."""
    images = len(list(source.iterdir()))
    options = OPTIONS._replace(shard_images=max(1, min(images // 6, OPTIONS.shard_images)))
    return curate([Source('photos', str(source))], out, options, Workers(workers))['kept']


def shortest(work, clock, repeats: int) -> tuple:
    """(result, shortest time) of calls with a new folder each."""
    times = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            start = clock()
            result = work(Path(folder, 'out'))
            times.append(clock() - start)
    return result, min(times)


def _authors(source: Path, out: Path) -> int:
    out.mkdir()
    return authors_way(source, out)


def main(argv=None) -> float:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='ends within 40 seconds')
    parser.add_argument('--photos', type=Path, help='a folder of JPEG photos')
    parser.add_argument('--number', type=int, help='photos that are rendered')
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2], metavar='N')
    parser.add_argument('--repeats', type=int)
    args = parser.parse_args(argv)
    number = args.number or (500 if args.quick else 2000)
    repeats = args.repeats or (2 if args.quick else 4)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        source = args.photos or Path(folder)
        if args.photos is None:
            write_photos(source, number)
        files = list(source.iterdir())
        load = f'{os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else 'unknown'
        print(f'{len(files)} photos, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB, JPEG '
              f'quality {OPTIONS.quality}; {usable_cores()} cores, load at the start {load}')
        kept, theirs = shortest(lambda out: _authors(source, out), time.process_time, repeats)
        print(f"the authors' way: {kept / theirs:.1f} photos per CPU second "
              f'({1000 * theirs / kept:.2f} ms each)')
        kept, own = shortest(lambda out: ours(source, out, 1), time.process_time, repeats)
        print(f'curate.py, all of it: {kept / own:.1f} photos per CPU second '
              f'({1000 * own / kept:.2f} ms each)')
        rates = {}
        for workers in args.workers:
            run_parallel(abs, [1] * 4 * workers, workers, 'Starting processes')
            kept, taken = shortest(lambda out, n=workers: ours(source, out, n),
                                   time.perf_counter, repeats)
            rates[workers] = kept / taken
            print(f'{workers} process{"es" if workers > 1 else ""}: {rates[workers]:.1f} photos a '
                  f'second, {rates[workers] / rates[args.workers[0]]:.2f} times the first')
    print(f'ratio {theirs / own:.2f}')
    return theirs / own


if __name__ == '__main__':
    main()
    sys.exit(0)
