# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Crop the faces of an image, a folder, a video or an annotation table; see docs/en/faces.md."""

import argparse

from fmae_iat_plugin.datasets.annotation import AnnotationError
from fmae_iat_plugin.errors import ends_in_words, path_argument
from fmae_iat_plugin.faces import CropError, CropOptions, DetectorSpec, crop_faces
from fmae_iat_plugin.parallel import ParallelError, add_parallel_arguments, parallel_arguments


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', metavar='IN', type=path_argument, help='image, video, '
                        'folder of them, or annotation table (the file, or the folder that holds '
                        'annotation.csv)')
    parser.add_argument('out', metavar='OUT', type=path_argument,
                        help='output folder; for a table it may be IN')
    parser.add_argument('--images', type=path_argument, help="folder of a table's images; "
                        'default: images beside it, or its own folder')
    group = parser.add_argument_group('detector')
    group.add_argument('--detector', default='dlib', help='dlib (default), or an mmdet config')
    group.add_argument('--checkpoint', help='mmdet: weights, path or URL')
    group.add_argument('--label', help='mmdet: class of the faces, name or index; default: the '
                       'only one, or face')
    group.add_argument('--device', default='cpu', help='mmdet: cpu (default), cuda:0, ...')
    group.add_argument('--batch-size', type=int, default=8, help='mmdet: images at a time')
    group.add_argument('--threshold', type=float, help='lowest score; default: dlib 0, mmdet 0.5')
    group.add_argument('--upsample', type=int, default=0, metavar='N', help='dlib: double images N '
                       'times first; finds smaller faces, each time four times as slowly')
    group = parser.add_argument_group('crop (default: the published one)')
    group.add_argument('--faces', choices=('largest', 'central', 'all'), default='largest')
    group.add_argument('--margin', type=float, help="part of the box's size added on each side; "
                       'default 0.05, with --align 0.25')
    group.add_argument('--square', action='store_true', help='square with the longer side')
    group.add_argument('--size', type=int, default=224, help='side of the crop in pixels')
    group.add_argument('--align', type=int, choices=(5, 68), help='level the eyes by so many '
                       'landmarks')
    group.add_argument('--halve', action='store_true', help='halve both sides of frames first')
    group.add_argument('--track', type=int, default=0, metavar='N', help='bridge gaps of at most N '
                       'missed frames of a sequence')
    group.add_argument('--image-format', choices=('jpg', 'png'), default='jpg')
    add_parallel_arguments(parser)
    return parser.parse_args()


def main():
    args = parse_args()
    detector, options = ({name: getattr(args, name) for name in kind._fields}
                         for kind in (DetectorSpec, CropOptions))
    with ends_in_words(CropError, AnnotationError, ParallelError, ValueError):
        result = crop_faces(args.source, args.out, DetectorSpec(**detector),
                            CropOptions(**options), args.images, parallel_arguments(args))
    print('{frames} frames: {detected} faces detected, {tracked} tracked, {none} frames without a '
          'face (listed in {skipped}); {crops} crops, {table}'.format(**result))
    if result.get('passed_over'):
        print('{passed_over} files look like pictures or videos and are not read (listed in '
              '{skipped})'.format(**result))


if __name__ == '__main__':
    main()
