# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Blind forced choice: name the action unit between a rendered neutral face and its apex.

    python tools/analysis_tools/synthfacs_forced_choice.py work_dirs/pairs --seed 1
    python tools/analysis_tools/synthfacs_forced_choice.py work_dirs/pairs --answers answers.csv

The first writes 17 pairs in random order and key.json; the second prints the confusion of the
answers (CSV with the columns pair, au).
"""
import argparse
from pathlib import Path

from fmae_iat_plugin.synthfacs import forced_choice


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='folder of the pairs')
    parser.add_argument('--seed', type=int, default=0, help='seed of the order and the people')
    parser.add_argument('--size', type=int, default=448, help='side of a face, in pixels')
    parser.add_argument('--answers', type=Path, help='score these instead of drawing pairs')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.answers:
        print(forced_choice.confusion_text(
            forced_choice.score_answers(args.folder, args.answers)))
        return
    paths = forced_choice.draw_pairs(args.folder, args.seed, args.size)
    print(f'{len(paths)} pairs and {forced_choice.KEY} in {args.folder}')


if __name__ == '__main__':
    main()
