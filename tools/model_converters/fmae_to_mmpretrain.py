# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Convert weights of FMAE, FMAE-IAT, MAE, timm or Hugging Face ViTs to MMPretrain's names."""

import argparse

from fmae_iat_plugin.errors import exit_in_words
from fmae_iat_plugin.weights.conversion import fmae_to_mmpretrain


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', metavar='SRC', help='.pth or .safetensors file, or its URL')
    parser.add_argument('dst', metavar='DST', help='.pth or .safetensors file to write')
    parser.add_argument('--img-size', type=int, metavar='PIXELS',
                        help='interpolate the position embeddings for images of this side')
    parser.add_argument('--aus', type=int, nargs='+', default=(), metavar='AU',
                        help='AUs of the head in its order, e.g. 1 2 4; noted in DST')
    parser.add_argument('--trust-pickle', action='store_true',
                        help='unpickle SRC without limits, which runs any code that is in it')
    args = parser.parse_args()
    with exit_in_words((ValueError, OSError)):
        converted = fmae_to_mmpretrain(args.src, args.dst, args.img_size, args.aus,
                                       args.trust_pickle)
    size = converted.size
    heads = [f'{size.num_classes} classes'] if size.num_classes else []
    heads += [f'{size.identity[-1]} subjects'] if size.identity else []
    heads += [f'MAE decoder {size.decoder[0]} x {size.decoder[1]}'] if size.decoder[0] else []
    print(f'{args.dst}: {", ".join([size.describe(), *heads])}; {len(converted.weights)} tensors')
    print(f'not converted: {", ".join(converted.left_out) or "nothing"}')


if __name__ == '__main__':
    main()
