# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Convert a release of BP4D+: OUT/annotation.csv, images, skipped.csv, summary.md and .json."""

from fmae_iat_plugin.converters import command, convert_bp4dplus


def main():
    parser = command.make_parser(__doc__)
    command.add_sequence_arguments(parser)
    args = parser.parse_args()
    command.finish(
        lambda: convert_bp4dplus(args.release, args.out, **command.sequence_arguments(args)),
        args.out)


if __name__ == '__main__':
    main()
