# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Give the intensities of an exported model the spread of labels; see docs/en/export.md.

    python tools/misc/spread_intensities.py MODEL.onnx FOLDER OUT.onnx
"""

import argparse
import os
import sys

os.environ.setdefault('FMAE_IAT_PLUGIN_LIGHT', '1')  # an exported model needs no PyTorch

from fmae_iat_plugin.errors import exit_code  # noqa: E402
from fmae_iat_plugin.inference.intensity_spread import spread_intensities  # noqa: E402


def main(arguments=None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description='Give the intensities of an exported model the '
                                     'spread of labels.')
    parser.add_argument('model', metavar='MODEL.onnx')
    parser.add_argument('folder', metavar='FOLDER', help='face crops with an annotation table of '
                        'intensities, such as calibration/ of tools/misc/render_crops.py')
    parser.add_argument('out', metavar='OUT.onnx')
    args = parser.parse_args(arguments)

    def work() -> int:
        factors = spread_intensities(args.model, args.folder, args.out)
        print(f'{args.out}: intensities times {", ".join(f"{factor:.2f}" for factor in factors)}')
        return 0

    return exit_code(work, ValueError, OSError, ImportError)


if __name__ == '__main__':
    sys.exit(main())
