# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Write rendered faces: a table of them, or a raw release in the layout of a licensed data set.

    python tools/dataset_converters/synthfacs.py table data/synthfacs --subjects 24 --shortcut 1
    python tools/dataset_converters/synthfacs.py bp4d data/synth_bp4d --subjects 6 --frames 60
    python tools/dataset_converters/synthfacs.py disfa data/synth_disfa --labels LABELS.csv.gz

Every release holds truth.csv, the annotation table that a converter must make of it, and lists
its irregularities in left_out.csv (face9m: manifest.csv). A killed run continues when it is
started again. `synthfacs.py FORMAT --help` shows the options of a format.
"""

import argparse
import os
import sys

for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ.setdefault(_name, '1')  # one process a core

from fmae_iat_plugin.errors import STOPPED, say_error  # noqa: E402
from fmae_iat_plugin.parallel import ParallelError, add_parallel_arguments, parallel_arguments  # noqa: E402
from fmae_iat_plugin.synthfacs import releases as releases  # noqa: E402
from fmae_iat_plugin.synthfacs import write_synthfacs  # noqa: E402
from fmae_iat_plugin.synthfacs.releases import acting, affectnet, bp4d, bp4dplus  # noqa: E402
from fmae_iat_plugin.synthfacs.releases import release_folder as files  # noqa: E402

WRITERS = dict(table=write_synthfacs, bp4d=releases.write_bp4d, bp4dplus=releases.write_bp4dplus,
               disfa=releases.write_disfa, rafdb=releases.write_rafdb,
               affectnet=releases.write_affectnet, face9m=releases.write_face9m)


def parse_args(argv=None) -> argparse.Namespace:
    """The command line; options that are not given are left to the writer's defaults."""
    parser = argparse.ArgumentParser(description=__doc__, argument_default=argparse.SUPPRESS,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    formats = parser.add_subparsers(dest='format', required=True, metavar='FORMAT',
                                    help=', '.join(WRITERS))
    for name in WRITERS:
        sub = formats.add_parser(name, argument_default=argparse.SUPPRESS,
                                 help=f'layout of {name}')
        sub.add_argument('out', help='folder of the release')
        sub.add_argument('--subjects', type=int, help='people')
        sub.add_argument('--frames', type=int,
                         help='labelled frames a recording, or images a person')
        sub.add_argument('--size', type=int, help='side of the pictures, 224 by default')
        sub.add_argument('--seed', type=int, help='0 by default')
        add_parallel_arguments(sub, workers=0)
        if name == 'table':
            sub.add_argument('--shortcut', type=float, help='0 (default) to 1: how far a training '
                             'subject tells which AUs to expect')
            sub.add_argument('--folds', type=int, help='3 by default')
            sub.add_argument('--fold', type=int, help='whose subjects are test subjects, without '
                             'the shortcut; 1 by default')
            sub.add_argument('--aus', type=int, nargs='+', help='that occur; default: all')
        if name in ('table', 'bp4d', 'bp4dplus', 'disfa'):
            sub.add_argument('--labels', nargs='+', metavar='TABLE',
                             help='real label sequences: CSV with image path and AU columns '
                             '(with --frames 0: all their frames, but for table)')
        if name in ('bp4d', 'bp4dplus', 'disfa'):
            sub.add_argument('--codec', choices=files.CODECS, help='of videos')
            sub.add_argument('--framing', choices=acting.FRAMINGS,
                             help='portrait (default) is to be cropped, crop is a face box')
        if name in ('bp4d', 'bp4dplus'):
            module = bp4d if name == 'bp4d' else bp4dplus
            sub.add_argument('--tasks', nargs='+', choices=module.TASKS, metavar='TASK')
            sub.add_argument('--headers', choices=module.HEADERS)
            sub.add_argument('--frames-as', choices=('images', 'videos'))
            sub.add_argument('--first-frame', type=int, choices=(0, 1),
                             help="frame number of a video's first picture, 1 by default")
        if name == 'bp4d':
            sub.add_argument('--video-names', choices=('release', 'authors'))
        if name == 'affectnet':
            sub.add_argument('--layout', choices=affectnet.LAYOUTS)
    args = parser.parse_args(argv)
    args.workers = parallel_arguments(args)
    del args.backend, args.address
    return args


def main(argv=None) -> int:
    """Write what the command line asks for; the exit code: 0, 2 (an error)."""
    options = vars(parse_args(argv))
    try:
        truth = WRITERS[options.pop('format')](**options)
    except (ValueError, OSError, ImportError, ParallelError) as error:
        return say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write(STOPPED)
        return 130
    print(f'complete: {truth}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
