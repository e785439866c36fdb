# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What it costs to open millions of faces: seconds, and private memory of a worker.

    python tools/benchmark/open_dataset.py [--quick] [--records 100000 9000000]

Ours is Face9M over tar shards with an index: the shards are empty files of the right length, the
index is whole. Beside it stand the way of the FMAE authors, every key of an LMDB listed in each
process (package lmdb), and a list of one dict for each image, MMEngine's way. Each is opened in a
process of its own, which then looks up 20,000 images at random. Private memory is what
/proc/self/smaps_rollup says beyond what the process had before; pages of files that nobody else
has mapped count as private there. With --quick the other ways hold 1,000,000 images at most.

The last line is the ratio of the seconds to open: LMDB (the list, where lmdb is not installed) to
ours, at the largest number that both hold.
"""
import argparse
import gc
import multiprocessing
import pickle
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

import numpy as np
from mmengine.logging import MMLogger

from fmae_iat_plugin.datasets.face9m import Face9M
from fmae_iat_plugin.datasets.shard_index import Members, Shard, write_index_file
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.media import IMAGE_SUFFIXES

A_SHARD = 10_000  # images in a shard
SIZE = 15_000  # bytes of an image
LOOKUPS = 20_000


class Cost(NamedTuple):
    """Of opening, and of looking up.

    Attributes:
        seconds (float): To open.
        private (float): MiB of private memory after the lookups, beyond what was there before.
        lookup (float): Microseconds a lookup.
    """

    seconds: float
    private: float
    lookup: float


def key(number: int) -> str:
    return f'{number // A_SHARD:05d}/{number:09d}.jpg'


def make_shards(folder: Path, records: int) -> None:
    """Empty shards of the right length, and their index, as curation leaves them."""
    folder.mkdir()
    members = []
    for first in range(0, records, A_SHARD):
        count = min(A_SHARD, records - first)
        names = ''.join(key(number) for number in range(first, first + count)).encode()
        path = folder / f'{first // A_SHARD:05d}.tar'
        step = 512 + -(-SIZE // 512) * 512
        with open(path, 'wb') as file:
            file.truncate(count * step + 10240)
        stat = path.stat()
        shard = Shard(path.name, stat.st_size, f'mtime:{stat.st_mtime_ns}', '0' * 64, count)
        members.append(Members(shard, np.arange(count) * step + 512, np.full(count, SIZE),
                               np.zeros(count), (np.arange(count, dtype=np.uint64) + 1) *
                               np.uint64(len(names) // count), names))
    write_index_file(folder / 'shards.index', members, IMAGE_SUFFIXES)


def make_lmdb(folder: Path, records: int) -> None:
    """Keys as the authors have them, with values of 8 bytes: real ones would only be slower."""
    import lmdb
    with lmdb.open(str(folder), map_size=2**32, sync=False) as env, env.begin(write=True) as change:
        with change.cursor() as cursor:
            cursor.putmulti(((key(number).encode(), b'\0' * 8) for number in range(records)),
                            append=True)


def open_ours(folder: Path) -> Callable[[int], object]:
    data = Face9M(str(folder))
    # what a worker gets that does not share its parent's memory
    return pickle.loads(pickle.dumps(data)).get_data_info


def open_lmdb(folder: Path) -> Callable[[int], object]:
    import lmdb
    env = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, meminit=False)
    with env.begin() as read:
        keys = [name for name, _ in read.cursor()]
    return lambda number: keys[number]


def open_list(records: int) -> Callable[[int], object]:
    data = [dict(img_path=key(number), sample_idx=number) for number in range(records)]
    return data.__getitem__


def private() -> float:
    """MiB that no other process has."""
    text = Path('/proc/self/smaps_rollup').read_text()
    return sum(int(size) for size in re.findall(r'Private_\w+: +(\d+) kB', text)) / 1024


def _measure(opener: Callable, argument: object, records: int, answer) -> None:
    gc.collect()
    before = private()
    start = time.perf_counter()
    look_up = opener(argument)
    seconds = time.perf_counter() - start
    places = np.random.default_rng(0).integers(records, size=LOOKUPS).tolist()
    start = time.perf_counter()
    for place in places:
        look_up(place)
    lookup = (time.perf_counter() - start) / LOOKUPS * 1e6
    answer.send(Cost(seconds, private() - before, lookup))


def measure(opener: Callable, argument: object, records: int) -> Cost:
    """In a process of its own."""
    context = multiprocessing.get_context('fork')
    mine, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(opener, argument, records, theirs))
    process.start()
    theirs.close()
    cost = mine.recv()
    process.join()
    return cost


def has_lmdb() -> bool:
    try:
        import lmdb  # noqa: F401
    except ImportError:
        return False
    return True


def compare(numbers: List[int], most: Optional[int], folder: Path) -> float:
    """Print every cost; returns the ratio."""
    found: Dict[str, Dict[int, Cost]] = {'Face9M': {}, 'LMDB keys': {}, 'list of dicts': {}}
    for records in numbers:
        other = min(records, most or records)
        make_shards(folder / f's{records}', records)
        costs = [('Face9M', records, open_ours, folder / f's{records}')]
        if other != records and not (folder / f's{other}').is_dir():
            make_shards(folder / f's{other}', other)
            costs.insert(0, ('Face9M', other, open_ours, folder / f's{other}'))
        if has_lmdb() and other not in found['LMDB keys']:
            make_lmdb(folder / f'l{other}', other)
            costs.append(('LMDB keys', other, open_lmdb, folder / f'l{other}'))
        costs.append(('list of dicts', other, open_list, other))
        for name, count, opener, argument in costs:
            found[name][count] = cost = measure(opener, argument, count)
            print(f'{name:13} {count:>10,} images: open {cost.seconds:8.3f} s, private '
                  f'{cost.private:8.1f} MiB, {cost.lookup:5.1f} us a lookup', flush=True)
    if not has_lmdb():
        print('LMDB is not measured. Remedy: pip install lmdb')
    beside = found['LMDB keys'] or found['list of dicts']
    largest = max(set(beside) & set(found['Face9M']))
    return beside[largest].seconds / found['Face9M'][largest].seconds


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='ends within 40 s')
    parser.add_argument('--records', type=int, nargs='+', default=[100_000, 9_000_000],
                        help='default: %(default)s')
    args = parser.parse_args(argv)
    MMLogger.get_current_instance().setLevel('ERROR')
    if min(args.records) < 1:
        return say_error(ValueError(f'--records {min(args.records)} must be at least 1.'))
    with tempfile.TemporaryDirectory() as folder:
        ratio = compare(args.records, 1_000_000 if args.quick else None, Path(folder))
    print(f'ratio {ratio:.1f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
