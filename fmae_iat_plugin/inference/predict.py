# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Predict the action units of images and videos; see docs/en/inference.md."""

import argparse
import sys
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import List, Optional

from fmae_iat_plugin.errors import exit_code, path_argument
from fmae_iat_plugin.faces.provenance import add_crop_arguments, crop_arguments
from fmae_iat_plugin.files import UniqueNames, hold_folder
from fmae_iat_plugin.logs import logger
from fmae_iat_plugin.parallel import (
    ParallelError,
    Workers,
    add_parallel_arguments,
    parallel_arguments,
)
from fmae_iat_plugin.skipped import Skip, report_skipped
from fmae_iat_plugin.weights.zoo_index import resolve_model

from .backends import check_device
from .batch import Job, forget, predict_parts, read_part, split
from .default_model import default_model, describe
from .face_table import FaceTable
from .inferencer import AUTO, check_numbers, detector_argument
from .inputs import Item, find_inputs, once
from .onnx_backend import read_metadata
from .outputs import SKIPPED, Outputs
from .writers import WRITERS, build_writers, check_formats

OUT = 'predictions'  #: folder of the output folders that were not named


def _parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('input', nargs='+', metavar='INPUT',
                        help='image, video, folder, quoted pattern, address (http, https, '
                        'rtsp), or camera: webcam, webcam:1, ... (Ctrl-C stops it)')
    parser.add_argument('--model', help='config, .onnx file, or a name of the model zoo (python '
                        'tools/model_zoo.py list); default: that of the package')
    parser.add_argument('--weights', help="checkpoint; default: the zoo's, checkpoints/NAME.pth")
    parser.add_argument('--out-dir', type=path_argument,
                        help=f'default: {OUT}/NAME of the first input')
    parser.add_argument('--format', default='openface',
                        help=f'one or more of {",".join(WRITERS)}, separated by commas; default: '
                        'openface')
    parser.add_argument('--detector', default=AUTO,
                        help='dlib, an mmdet config, or none: the images are face crops; default: '
                        "that of the model's training, else dlib")
    parser.add_argument('--detector-weights', help='mmdet: checkpoint')
    parser.add_argument('--device', help='cpu, cuda:0, or several (cuda:0,cuda:1), which the '
                        '--workers share; default: the GPU if there is one')
    parser.add_argument('--batch-size', type=int, default=32, help='faces at a time')
    parser.add_argument('--stride', type=int, default=1, help='predict every N-th frame of a video')
    parser.add_argument('--threshold', type=float, help='an action unit is present from this '
                        "probability on; default: the model's, 0.5")
    parser.add_argument('--smoothing', type=float, default=0., metavar='SECONDS',
                        help='time constant of an exponential moving average over the '
                        'probabilities of each face in a video; default: 0, no smoothing')
    parser.add_argument('--vis', action='store_true', help='also write annotated images and '
                        'videos, and a timeline of each video')
    parser.add_argument('--overwrite', action='store_true', help='remove what an earlier call '
                        'left in --out-dir')
    add_crop_arguments(parser)
    add_parallel_arguments(parser)
    args = parser.parse_args(arguments)
    if args.model is None and args.weights is not None:
        parser.error('--weights needs --model')
    return args


def _model(args: argparse.Namespace) -> tuple:
    """Config and weights; the package's model where none was named."""
    if args.model is None:
        path = default_model()
        logger().info('default model %s', describe(read_metadata(path)))
        return str(path), None
    if args.model.endswith('.onnx'):
        return args.model, args.weights
    return resolve_model(args.model, args.weights)


def _folder(args: argparse.Namespace, items: List[Item]) -> Path:
    """The output folder; where none was named, that of the first input."""
    if args.out_dir is not None:
        return Path(args.out_dir)
    return Path(OUT, UniqueNames()(items[0].unit.name))


def predict(args: argparse.Namespace) -> int:
    """Write the files; the exit code: 0 = all was read, 1 = something could not be read."""
    problems: List[Skip] = []
    items = once(find_inputs(args.input, problems))
    formats = [name.strip() for name in args.format.split(',') if name.strip()]
    check_formats(formats)
    check_numbers(args.threshold, args.smoothing, args.batch_size, args.stride)
    model, weights = _model(args)
    devices = tuple(args.device.split(',')) if args.device else (None, )
    for device in devices:
        check_device(device, model, weights)
    detector = detector_argument(args.detector, args.detector_weights, devices[0])
    out = _folder(args, items)
    job = Job(model, weights, detector, args.threshold, args.batch_size, args.stride,
              args.smoothing, devices, out if args.vis else None, crop_arguments(args))
    with hold_folder(out, 'a prediction'), Outputs(out, items, job.settings(), formats, args.vis,
                                                   args.overwrite) as outputs:
        return _predict(job, items, formats, outputs, problems, parallel_arguments(args))


def _predict(job: Job, items: List[Item], formats: List[str], outputs: Outputs,
             problems: List[Skip], workers: Workers) -> int:
    """See :func:`predict`; the folder is claimed."""
    out = outputs.folder
    parts = split(items, job, out / '.parts', outputs.names)
    aus, graded = predict_parts(job, parts, workers)
    outputs.clear()
    rows = faces = frames = 0
    pictures: List[str] = []
    with ExitStack() as stack:
        writers = [stack.enter_context(writer)
                   for writer in build_writers(formats, out, aus, outputs.names.__getitem__,
                                               graded)]
        shown = FaceTable(aus, graded)
        last = None
        for row in chain.from_iterable(read_part(part, problems, pictures)
                                       for part in parts):
            for writer in writers:
                writer.write(row)
            shown.add(row)
            rows, faces = rows + 1, faces + row.success
            frames, last = frames + (last != (row.input, row.frame)), (row.input, row.frame)
    skipped = out / SKIPPED
    report_skipped('Prediction', [*outputs.kept, *problems], str(skipped))
    forget(out / '.parts')
    shown.print()
    sys.stdout.write(f'{frames} frames, {faces} faces, {rows - faces} frames without a face; '
                     f'{len(problems)} inputs not or not wholly readable ({skipped}); '
                     f'{sum(len(writer.paths) for writer in writers)} files of predictions'
                     f'{f", {len(pictures)} pictures and videos" if job.pictures else ""} in {out}'
                     '\n')
    return 1 if problems else 0


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; its exit code: 0, 1 (something was unreadable), 2 (an error), 130 (stopped)."""
    args = _parse(arguments)
    return exit_code(lambda: predict(args), ValueError, ImportError, ParallelError)


if __name__ == '__main__':
    sys.exit(main())
