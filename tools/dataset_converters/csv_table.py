# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Convert any CSV with one row per face (a file, or a folder of files) to the annotation table."""

from fmae_iat_plugin.converters import Mapping, command, convert_csv_table
from fmae_iat_plugin.parallel import parallel_arguments


def main():
    parser = command.make_parser(__doc__)
    parser.add_argument('--glob', default='*.csv*', help='which files of the folder RELEASE')
    parser.add_argument('--image', metavar='COLUMN', help='default: image, image_path, path, ...')
    for name in ('subject', 'sequence', 'frame'):
        parser.add_argument(f'--{name}', metavar='COLUMN')
        parser.add_argument(f'--{name}-pattern', metavar='REGEX',
                            help=r'searched in the image path, e.g. "/([FM]\d{3})/"')
    parser.add_argument('--missing', nargs='+', default=(), metavar='CODE',
                        help='codes that mean not coded, e.g. 9; an empty cell always does')
    parser.add_argument('--au-suffix', choices=('c', 'r', 'occ', 'int'), dest='suffix',
                        help='ending of the columns to read where an AU has several')
    parser.add_argument('--strip', default='', help='prefix removed from the image paths')
    parser.add_argument('--keep', nargs='+', default=(), metavar='COLUMN',
                        help='columns to keep as well')
    parser.add_argument('--images', help='image folder; its images are placed in OUT/images')
    parser.add_argument('--reference', choices=('bp4d', 'bp4dplus', 'disfa'),
                        help='compare with the published prevalence and folds')
    args = parser.parse_args()
    given = {name: getattr(args, name) for name in Mapping._fields}
    mapping = Mapping(**{**given, 'missing': tuple(args.missing), 'keep': tuple(args.keep)})
    command.finish(
        lambda: convert_csv_table(args.release, args.out, mapping, args.glob, args.images,
                                  args.place, parallel_arguments(args), args.reference), args.out)


if __name__ == '__main__':
    main()
