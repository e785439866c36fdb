# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The command line of ``tools/face9m/curate.py``."""

import argparse
import sys
from typing import Optional, Sequence

from fmae_iat_plugin.errors import ends_in_words, path_argument
from fmae_iat_plugin.parallel import (
    ParallelError,
    add_parallel_arguments,
    parallel_arguments,
)

from .structures import CurationError, Options, Source

_DESCRIPTION = """Curate collections of faces to WebDataset shards of small JPEGs; see
docs/en/datasets/face9m.md. The sources are only read; the same command continues after a stop."""


def _source(text: str) -> Source:
    name, equals, path = text.partition('=')
    if not (name and equals and path.strip()):
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=PATH, such as ffhq=data/ffhq')
    return Source(name, path)


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """The command line."""
    default = Options()
    parser = argparse.ArgumentParser(description=_DESCRIPTION)
    parser.add_argument('--source', type=_source, action='append', required=True, dest='sources',
                        metavar='NAME=PATH', help='a folder of images and archives, or one '
                        'archive (zip, tar, tar.gz, tsv, rec); once for each source')
    parser.add_argument('--out', type=path_argument, required=True, help='output folder')
    group = parser.add_argument_group("rules (default: the paper's)")
    group.add_argument('--max-aspect', type=float, default=default.max_aspect, metavar='RATIO',
                       help='longest side ratio that is kept (default: %(default)s)')
    group.add_argument('--min-side', type=int, default=default.min_side, metavar='PIXELS',
                       help='shortest side that is kept; 224 in the authors\' code (default: '
                       '%(default)s)')
    group.add_argument('--size', type=int, default=default.size, metavar='PIXELS',
                       help='side of the images in the shards (default: %(default)s)')
    group.add_argument('--quality', type=int, default=default.quality,
                       help='of their JPEG files (default: %(default)s)')
    group.add_argument('--shard-images', type=int, default=default.shard_images, metavar='N',
                       help='images that are looked at for one shard (default: %(default)s)')
    group = parser.add_argument_group('rules beyond the paper (default: off)')
    group.add_argument('--faces', nargs='?', const='dlib', metavar='DETECTOR',
                       help='leave out images without a face: dlib, or an mmdet config')
    group.add_argument('--checkpoint', help='mmdet: weights')
    group.add_argument('--device', default='cpu', help='mmdet: cpu (default), cuda:0, ...')
    group.add_argument('--duplicates', action='store_true', help='keep only the first of '
                       'near-duplicates, within and across sources')
    group.add_argument('--without', type=path_argument, action='append', default=[],
                       metavar='PATH', dest='test_sets', help='leave out near-duplicates of the '
                       'images of this folder or archive, such as a test set; may be repeated')
    group.add_argument('--distance', type=int, default=default.distance, metavar='BITS',
                       help='of 256 that may differ in near-duplicates (default: %(default)s)')
    add_parallel_arguments(parser, workers=0)
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Curate what the command line asks for."""
    args = parse_args(argv)
    from fmae_iat_plugin.faces import CropError, DetectorSpec

    from .pipeline import curate
    detector = args.faces and DetectorSpec(args.faces, args.checkpoint, device=args.device)
    options = Options(args.size, args.quality, args.max_aspect, args.min_side, args.shard_images,
                      detector or None, args.duplicates, tuple(args.test_sets), args.distance)
    with ends_in_words(CurationError, CropError, ParallelError):
        manifest = curate(args.sources, args.out, options, parallel_arguments(args))
    for name, source in manifest['sources'].items():
        rejected = ', '.join(f'{rule}: {n}' for rule, n in sorted(source['rejected'].items()))
        sys.stdout.write(f'{name}: {source["kept"]} of {source["found"]} files kept'
                         f'{rejected and f" ({rejected})"}\n')
    sys.stdout.write(f'{manifest["kept"]} images in {len(manifest["shards"])} shards below '
                     f'{args.out}/shards; what is left out is listed in {args.out}/rejects.csv\n')
    return 0
