# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Check an annotation table and its images. Exit code 0: no problem, 1: problems, 2: usage.

    python tools/misc/verify_dataset.py data/bp4d --protocol bp4d --workers all
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from fmae_iat_plugin.datasets.verify import verify_table
from fmae_iat_plugin.datasets.verify_report import print_report
from fmae_iat_plugin.parallel import ParallelError, add_parallel_arguments, parallel_arguments


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('table', help='annotation table, or the folder that holds annotation.csv')
    parser.add_argument('--images', help='image folder; default: faces or images beside the table')
    parser.add_argument('--protocol', help='bp4d, bp4dplus, disfa or a JSON file of folds')
    parser.add_argument('--reference', choices=('bp4d', 'bp4dplus', 'disfa'),
                        help='compare with its published prevalence; default: the protocol')
    parser.add_argument('--json', metavar='FILE', help='the whole report')
    add_parallel_arguments(parser)
    args = parser.parse_args()
    try:
        report = verify_table(args.table, args.images, args.protocol, args.reference,
                              parallel_arguments(args))
    except (OSError, ValueError, ParallelError) as error:
        parser.error(str(error))
    print_report(report, Console())
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=2) + '\n')
    sys.exit(1 if report['problems'] else 0)


if __name__ == '__main__':
    main()
