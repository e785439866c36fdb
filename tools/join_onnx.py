# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Join exported models into one ONNX file that gives their mean; see docs/en/export.md."""

import argparse
import sys

from fmae_iat_plugin.errors import exit_code
from fmae_iat_plugin.inference.ensemble import join


def main(arguments=None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('models', metavar='MODEL.onnx', nargs='+',
                        help='files of tools/export_onnx.py, such as those of several seeds')
    parser.add_argument('out', metavar='OUT.onnx')
    parser.add_argument('--half', action='store_true', help='store weights in 16 bits, which '
                        'halves the file; the arithmetic stays in 32 bits')
    args = parser.parse_args(arguments)

    def work() -> int:
        difference = join(args.models, args.out, args.half)
        print(f'{args.out}: mean of {len(args.models)} models, largest difference from it '
              f'{difference:.1e}')
        return 0

    return exit_code(work, ValueError, OSError, ImportError)


if __name__ == '__main__':
    sys.exit(main())
