# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How often the comparison calls a recipe different from itself, and its noise floor covers it.

    python tools/benchmark/null_trials.py --deviations 1.4 2.4 4.5
"""
import argparse

from fmae_iat_plugin.evaluation.null_trials import Settings, null_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--deviations', type=float, nargs='+', default=[1.4, 2.4, 4.5],
                        help='standard deviation of F1 over seeds, in points')
    parser.add_argument('--seeds', type=int, default=3, help='trainings of each recipe')
    parser.add_argument('--people', type=int, default=24)
    parser.add_argument('--trials', type=int, default=200)
    args = parser.parse_args()
    print('deviation  measured  different  people alone  within the noise floor  of')
    for deviation in args.deviations:
        found = null_trials(Settings(deviation, args.seeds, args.people, trials=args.trials))
        print(f'{deviation:9.1f}  {found.measured:8.2f}  {found.different:9d}  '
              f'{found.people_alone:12d}  {found.covered:22d}  {found.trials}')


if __name__ == '__main__':
    main()
