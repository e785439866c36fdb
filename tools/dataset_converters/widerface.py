# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Convert a release of WIDER FACE to COCO json of one class, for configs/face_detection."""

import argparse

from fmae_iat_plugin.converters import ConversionError
from fmae_iat_plugin.converters.widerface import convert_widerface
from fmae_iat_plugin.errors import ends_in_words, path_argument


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('release', type=path_argument, metavar='RELEASE',
                        help='folder with wider_face_split, WIDER_train and WIDER_val')
    parser.add_argument('out', type=path_argument, metavar='OUT', help='output folder')
    parser.add_argument('--place', choices=('link', 'copy', 'symlink'), default='link',
                        help='how images get into OUT/images: hard link (a copy across file '
                        'systems), copy, or symbolic link')
    args = parser.parse_args()
    with ends_in_words(ConversionError):
        summary = convert_widerface(args.release, args.out, args.place)
    for split, numbers in summary.items():
        print(f'{split}: {numbers["images"]} images (published: {numbers["images_published"]}), '
              f'{numbers["faces"]} faces, {numbers["ignored"]} more to be ignored, '
              f'{sum(numbers["skipped"].values())} items left out, see skipped.csv')


if __name__ == '__main__':
    main()
