# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Convert a release of DISFA: OUT/annotation.csv, images, skipped.csv, summary.md and .json."""

from fmae_iat_plugin.converters import command, convert_disfa


def main():
    parser = command.make_parser(__doc__)
    command.add_sequence_arguments(parser)
    parser.add_argument('--camera', choices=('right', 'left'), default='right',
                        help='FMAE-IAT uses the right one')
    parser.add_argument('--first-image', type=int, choices=(0, 1), default=1,
                        help='number of the image that shows frame 1 of the labels')
    args = parser.parse_args()
    command.finish(
        lambda: convert_disfa(args.release, args.out, camera=args.camera,
                              first_image=args.first_image, **command.sequence_arguments(args)),
        args.out)


if __name__ == '__main__':
    main()
