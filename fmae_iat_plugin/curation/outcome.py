# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What becomes of every image once all of them have been seen: near-duplicates are decided here."""

from itertools import accumulate
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Set, Tuple

import numpy as np

from .duplicates import WORDS, find_duplicates
from .parts import TEST_SET, PartResult, read_details, read_hashes
from .structures import DUPLICATE, OF_TEST_SET, Options, Part, Reject


class Outcome(NamedTuple):
    """The parts in order, what each gave, and what of it is left out after all.

    Attributes:
        parts (list[Part]), results (list[PartResult]): All, those of test sets first.
        without (list[list[int]]): Of each part, the places among its kept images.
        why (list[list[tuple[str, str]]]): (rule, detail) of each of these.
    """

    parts: List[Part]
    results: List[PartResult]
    without: List[List[int]]
    why: List[List[Tuple[str, str]]]

    def images(self, place: int) -> int:
        """How many images of the part at a place stay."""
        return self.results[place].kept - len(self.without[place])

    def rejects(self, place: int, work: Path) -> List[Reject]:
        """Rows of what the part at a place leaves out, in the order of its members."""
        part = self.parts[place]
        if not self.without[place] and not self.results[place].rejected:
            return []
        details = read_details(work, part)
        rows = [*details.rejects]
        for image, (rule, detail) in zip(self.without[place], self.why[place]):
            index, name, _ = details.kept[image]
            rows.append((index, name, rule, detail))
        label = part.container.label
        return [Reject(part.container.source, f'{label}/{name}' if label else name, rule, detail)
                for _, name, rule, detail in sorted(rows, key=lambda row: row[0])]


def decide(parts: Sequence[Part], results: Sequence[PartResult], work: Path,
           options: Options) -> Outcome:
    """Compare all kept images with each other and with those of the test sets, as asked for.

    The first of several near-duplicates stays: sources count in the order in which they were given.
    """
    outcome = Outcome(list(parts), list(results), [[] for _ in parts], [[] for _ in parts])
    if not options.hashes:
        return outcome
    hashes = np.concatenate([np.empty((0, WORDS), np.uint64),
                             *(read_hashes(work, part) for part in parts)])
    starts = [0, *accumulate(result.kept for result in results)]
    test = sum(result.kept for part, result in zip(parts, results)
               if part.container.source == TEST_SET)
    found = find_duplicates(hashes, options.distance, test, options.duplicates)
    owners = np.searchsorted(starts, [image for image, _, _ in found], 'right') - 1
    names = _names(outcome, starts, {original for _, original, _ in found}, work)
    for (image, original, bits), place in zip(found, owners):
        outcome.without[place].append(image - starts[place])
        outcome.why[place].append((OF_TEST_SET if original < test else DUPLICATE,
                                   f'{bits} of 256 bits from {names[original]}'))
    return outcome


def _names(outcome: Outcome, starts: Sequence[int], wanted: Set[int], work: Path) -> Dict[int, str]:
    """Names of images, by their numbers; those in the shards, or below a test set."""
    names = {}
    ordered = sorted(wanted)
    owners = np.searchsorted(starts, ordered, 'right') - 1
    for place in sorted(set(owners.tolist())):
        kept = read_details(work, outcome.parts[place]).kept
        for image, owner in zip(ordered, owners):
            if owner == place:
                names[image] = kept[image - starts[place]][2]
    return names
