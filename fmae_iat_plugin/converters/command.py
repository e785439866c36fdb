# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the command lines of the converters share: arguments, and how they end."""

import argparse
import sys
from typing import Callable

from fmae_iat_plugin.datasets.annotation import AnnotationError
from fmae_iat_plugin.errors import ends_in_words, path_argument
from fmae_iat_plugin.files import hold_folder
from fmae_iat_plugin.parallel import ParallelError, add_parallel_arguments, parallel_arguments

from .base import ConversionError, Options


def make_parser(description: str, release: bool = True) -> argparse.ArgumentParser:
    """A parser with RELEASE, OUT, ``--place`` and what chooses the processes."""
    parser = argparse.ArgumentParser(description=description.partition('\n')[0])
    if release:
        parser.add_argument('release', metavar='RELEASE', type=path_argument,
                            help='folder of the release')
        parser.add_argument('out', metavar='OUT', type=path_argument, help='output folder')
    parser.add_argument('--place', choices=('link', 'copy', 'symlink'), default='link',
                        help='how images of the release get into OUT/images: hard link (a copy '
                        'across file systems), copy, or symbolic link')
    add_parallel_arguments(parser)
    return parser


def add_sequence_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the releases with videos or image folders."""
    parser.add_argument('--labels', type=path_argument,
                        help='folder of the label files, if the command does not find it')
    parser.add_argument('--pictures', type=path_argument, help='folder below which image '
                        'folders or videos are looked for; default RELEASE')
    parser.add_argument('--source', choices=('auto', 'images', 'videos'), default='auto',
                        help='auto: the image folder of a sequence, or else its video')
    parser.add_argument('--image-format', choices=('jpg', 'png'), default='jpg',
                        help='format of frames taken from videos; jpg has quality 95')
    parser.add_argument('--halve', action='store_true',
                        help='halve both sides of video frames, as FMAE-IAT does before cropping')
    parser.add_argument('--damaged-videos', choices=('skip', 'keep'), default='skip',
                        dest='damaged', help='what to do with videos that lack frames inside: '
                        'their frame numbers cannot be trusted')


def sequence_arguments(args: argparse.Namespace) -> dict:
    """Keyword arguments of a ``convert_...`` function for such a release."""
    options = Options(**{name: getattr(args, name) for name in Options._fields})
    return dict(options=options, workers=parallel_arguments(args), labels=args.labels,
                pictures=args.pictures)


def finish(convert: Callable[[], dict], out: str) -> None:
    """Convert, say where the result is; an error ends with its message and exit code 1."""
    with ends_in_words(ConversionError, AnnotationError, ParallelError), \
            hold_folder(out, 'a conversion', ConversionError):
        summary = convert()
    number = summary.get('frames', summary.get('images', summary.get('written')))
    sys.stdout.write(f'{number} faces in {out}; see summary.md or summary.json, skipped.csv\n')
