# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Convert an AUClassifier or MAE checkpoint to the names of the FMAE authors, MAE and timm."""

import argparse

from fmae_iat_plugin.errors import exit_in_words
from fmae_iat_plugin.weights.conversion import mmpretrain_to_fmae


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', metavar='SRC', help='.pth or .safetensors file, or its URL')
    parser.add_argument('dst', metavar='DST', help='.pth or .safetensors file to write')
    parser.add_argument('--trust-pickle', action='store_true',
                        help='unpickle SRC without limits, which runs any code that is in it')
    args = parser.parse_args()
    with exit_in_words((ValueError, OSError)):
        converted = mmpretrain_to_fmae(args.src, args.dst, args.trust_pickle)
    print(f'{args.dst}: {converted.size.describe()}; {len(converted.weights)} tensors')
    print(f'not converted: {", ".join(converted.left_out) or "nothing"}')


if __name__ == '__main__':
    main()
