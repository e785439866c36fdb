# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Convert a release of AffectNet to an image,expression,split table; training needs none."""

from fmae_iat_plugin.converters import command, convert_affectnet
from fmae_iat_plugin.parallel import parallel_arguments


def main():
    parser = command.make_parser(__doc__)
    parser.add_argument('--layout', choices=('auto', 'annotations', 'folders'), default='auto')
    parser.add_argument('--num-classes', type=int, choices=(8, 7), default=8)
    args = parser.parse_args()
    command.finish(
        lambda: convert_affectnet(args.release, args.out, args.layout, args.num_classes,
                                  args.place, parallel_arguments(args)), args.out)


if __name__ == '__main__':
    main()
