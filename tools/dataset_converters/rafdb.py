# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Convert a release of RAF-DB to an image,expression,split table; training needs none."""

from fmae_iat_plugin.converters import command, convert_rafdb
from fmae_iat_plugin.parallel import parallel_arguments


def main():
    parser = command.make_parser(__doc__)
    parser.add_argument('--original', action='store_true', help='original, not aligned images')
    args = parser.parse_args()
    command.finish(
        lambda: convert_rafdb(args.release, args.out, not args.original, args.place,
                              parallel_arguments(args)), args.out)


if __name__ == '__main__':
    main()
