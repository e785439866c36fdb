# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Check a release of RAF-DB or AffectNet. Exit code 0: no problem, 1: problems, 2: usage.

    python tools/misc/verify_expressions.py rafdb data/rafdb --list problems.csv
"""

import argparse
import sys

from rich.console import Console

from fmae_iat_plugin.datasets.verify_expressions import print_expressions, verify_expressions


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_set', choices=('rafdb', 'affectnet'))
    parser.add_argument('release', help='its folder')
    parser.add_argument('--original', action='store_true', help='RAF-DB: original, not aligned '
                        'images')
    parser.add_argument('--layout', choices=('auto', 'annotations', 'folders'), default='auto',
                        help='AffectNet; default: auto')
    parser.add_argument('--num-classes', type=int, choices=(8, 7), default=8,
                        help='AffectNet; 7 leaves out contempt')
    parser.add_argument('--list', metavar='FILE.csv', help='gets each problem with file and line')
    args = parser.parse_args()
    try:
        report = verify_expressions(args.data_set, args.release, not args.original, args.layout,
                                    args.num_classes, args.list)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print_expressions(report, Console())
    sys.exit(1 if report['problems'] or report['warnings'] else 0)


if __name__ == '__main__':
    main()
