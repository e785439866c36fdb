# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""JSON lines of the FMAE-IAT authors to the annotation table, or (from a .csv) back.

    fmae_json.py train1.json test1.json OUT --dataset bp4d [--images FACES]
    fmae_json.py annotation.csv OUT --dataset bp4d [--images data/bp4d/faces]
"""

from pathlib import Path

from fmae_iat_plugin.converters import command, json_to_table, table_to_json
from fmae_iat_plugin.parallel import parallel_arguments


def main():
    parser = command.make_parser(__doc__, release=False)
    parser.add_argument('release', metavar='RELEASE', nargs='+',
                        help='JSON-lines files; or one annotation table (.csv, .csv.gz, .parquet)')
    parser.add_argument('out', metavar='OUT', help='output folder')
    parser.add_argument('--dataset', choices=('bp4d', 'bp4dplus', 'disfa'), required=True,
                        help='where the subject stands in a path, and which AUs there are')
    parser.add_argument('--aus', type=int, nargs='+', help="default: the data set's")
    parser.add_argument('--images', help='image folder; its images are placed in OUT/images')
    parser.add_argument('--keep-paths', action='store_true',
                        help="to JSON: the table's paths, not 2F01_T1/frame_12.jpg")
    parser.add_argument('--not-coded', choices=('skip', 'negative'), default='skip',
                        help='to JSON: rows with an AU that is not coded; negative (999) is what '
                        'the authors made of it')
    args = parser.parse_args()
    if Path(args.release[0]).suffix in ('.csv', '.gz', '.parquet'):
        if len(args.release) != 1:
            parser.error('one table at a time')
        command.finish(
            lambda: table_to_json(args.release[0], args.out, args.dataset, args.aus,
                                  args.keep_paths, args.not_coded, args.images, args.place),
            args.out)
    else:
        command.finish(
            lambda: json_to_table(args.release, args.out, args.dataset, args.aus, args.images,
                                  args.place, parallel_arguments(args)), args.out)


if __name__ == '__main__':
    main()
