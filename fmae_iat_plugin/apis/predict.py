# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Predict the action units of images and videos; see docs/en/inference.md."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import List, Optional

from mmengine.logging import MMLogger

from fmae_iat_plugin.datasets.skipped import report_skipped
from fmae_iat_plugin.faces import DetectorSpec
from fmae_iat_plugin.faces.frames import import_av
from fmae_iat_plugin.parallel import counting_bar

from .inferencer import AUInferencer
from .inputs import Item, find_inputs
from .quickstart import configs_root
from .writers import WRITERS, build_writers

QUICKSTART = 'work_dirs/quickstart/fmae-iat/epoch_20.pth'


def _parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('input', nargs='+', metavar='INPUT',
                        help='image, video, folder of them, or a quoted pattern')
    parser.add_argument('--model', help="config; default: the quickstart's")
    parser.add_argument('--weights', help='checkpoint of that config')
    parser.add_argument('--out-dir', required=True)
    parser.add_argument('--format', default='openface',
                        help=f'some of {",".join(WRITERS)}, with commas; default: openface')
    parser.add_argument('--detector', default='dlib',
                        help='dlib (default), an mmdet config, or none: the images are face crops')
    parser.add_argument('--detector-weights', help='mmdet: checkpoint')
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the GPU if there is one')
    parser.add_argument('--batch-size', type=int, default=32, help='faces at a time')
    parser.add_argument('--stride', type=int, default=1, help='every N-th frame of a video')
    parser.add_argument('--threshold', type=float, help='probability from which an action unit '
                        "is present; default: the head's, 0.5")
    args = parser.parse_args(arguments)
    if (args.model is None) != (args.weights is None):
        parser.error('--model and --weights go together')
    return args


def _model(args: argparse.Namespace) -> tuple:
    """Config and weights; the quickstart's where none were named."""
    if args.model is not None:
        return args.model, args.weights
    if not Path(QUICKSTART).is_file():
        raise FileNotFoundError(
            f'no --model was given and {QUICKSTART} does not exist. Remedy: --model CONFIG '
            '--weights FILE of a model of yours, or train the small one on rendered faces: bash '
            'tools/quickstart.sh')
    MMLogger.get_current_instance().warning(
        'no --model was given: %s is used, which was trained on rendered faces only and is no '
        'measure of real ones', QUICKSTART)
    return str(configs_root() / 'quickstart_iat.py'), QUICKSTART


def _frames(items: List[Item]) -> Optional[int]:
    """How many frames there are, as far as the containers know; None = unknown."""
    total = 0
    for item in items:
        if item.unit.video is None:
            total += 1
            continue
        av = import_av()
        try:
            with av.open(str(item.unit.video)) as container:
                number = container.streams.video[0].frames if container.streams.video else 0
        except av.FFmpegError:
            continue  # said when it is read
        if not number:
            return None
        total += number
    return total


def predict(args: argparse.Namespace) -> int:
    """Write the files; the exit code: 0 = all was read, 1 = something could not be read."""
    items = find_inputs(args.input)
    model, weights = _model(args)
    device = args.device or 'cpu'
    detector = None if args.detector == 'none' else DetectorSpec(
        args.detector, args.detector_weights, device=device)
    infer = AUInferencer(model, weights, args.device, detector, threshold=args.threshold)
    rows = frames = faces = 0
    with ExitStack() as stack:
        writers = [stack.enter_context(writer) for writer in
                   build_writers(args.format.split(','), args.out_dir, infer.aus)]
        bar = stack.enter_context(counting_bar())
        task, last = bar.add_task('Frames', total=_frames(items)), None
        for row in infer.predict(items, args.batch_size, args.stride):
            for writer in writers:
                writer.write(row)
            rows, faces = rows + 1, faces + row.success
            if last != (row.input, row.frame):
                step = args.stride if last and row.input == last[0] else 1
                last, frames = (row.input, row.frame), frames + 1
                bar.advance(task, step)
    skipped = Path(args.out_dir, 'skipped.csv')
    report_skipped('Prediction', infer.problems, str(skipped))
    sys.stdout.write(f'{frames} frames, {faces} faces, {rows - faces} frames without a face; '
                     f'{len(infer.problems)} inputs not or not wholly readable ({skipped}); '
                     f'{sum(len(writer.paths) for writer in writers)} files in {args.out_dir}\n')
    return 1 if infer.problems else 0


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code: 0, 1 (something was unreadable) or 2 (an error)."""
    args = _parse(arguments)
    try:
        return predict(args)
    except (ValueError, OSError, ImportError) as error:
        sys.stderr.write(f'error: {" ".join(str(error).split())}\n')
        return 2


if __name__ == '__main__':
    sys.exit(main())
