# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Write a model as ONNX, or int8 ONNX, checked against PyTorch; see docs/en/export.md."""

import argparse
import sys

from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.inference.export import export_onnx
from fmae_iat_plugin.inference.quantization import METHODS


def main(arguments=None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', metavar='CONFIG')
    parser.add_argument('checkpoint', metavar='CHECKPOINT')
    parser.add_argument('out', metavar='OUT.onnx')
    parser.add_argument('--int8', action='store_true', help='quantise the linear layers')
    parser.add_argument('--calibration', metavar='FACES', help='int8: face crops that set the '
                        "ranges: folder, quoted pattern, video; default: the config's training "
                        'images')
    parser.add_argument('--calibration-faces', type=int, default=128, metavar='N',
                        help='int8: how many of them, evenly spaced (default: 128)')
    parser.add_argument('--calibration-method', choices=METHODS, default='minmax', help='int8: '
                        'ranges are the extremes (minmax, default), lose the least information '
                        '(entropy), or leave out the outermost 0.001 %% (percentile)')
    parser.add_argument('--no-f1', action='store_true', help='int8: do not measure the change of '
                        "F1 on the config's test data")
    parser.add_argument('--unaveraged', action='store_true', help='of a training with EMAHook: the '
                        'weights of its last update, and not their moving average')
    args = parser.parse_args(arguments)
    if not args.int8 and (args.calibration or args.no_f1 or args.calibration_method != 'minmax'):
        parser.error('--calibration, --calibration-method and --no-f1 go with --int8')
    try:
        done = export_onnx(args.config, args.checkpoint, args.out, args.int8, args.calibration,
                           args.calibration_faces, not args.no_f1, args.calibration_method,
                           args.unaveraged)
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    print(f'{args.out}: largest difference from PyTorch {done.difference:.1e}'
          f'{" (before int8)" if args.int8 else ""}')
    if args.int8:
        print(f'int8, calibrated with {done.calibration} faces')
    if done.f1:
        exact, small = done.f1
        print(f'mean F1 on {done.frames} test frames: {exact:.2f} %, int8 {small:.2f} %, change '
              f'{small - exact:+.2f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
