# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How fast a video is predicted: stages, runtimes of the model, naive loop, AUInferencer.

    python tools/benchmark/inference.py [--video FILE] [--frames 300] [--no-compile] [--device cpu]
    python tools/benchmark/inference.py --config CONFIG --weights CHECKPOINT

Without a video it renders one, a talking head of 640 x 360 pixels; without a config the model is a
ViT-S/16 at 224 px with random weights. Every stage is run alone: on one core, and on all cores at
once, where each is slower if they share caches, clock or one physical core. The line to reach is
0.9 x cores / (core-seconds a frame of all stages, all cores busy); on a GPU 0.9 x the slowest stage
alone. What other programs took of the machine meanwhile is printed too: then fewer cores were free.
"""
import argparse
import gc
import os
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Callable, List, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpretrain.registry import MODELS

from fmae_iat_plugin.faces.crop import crop_face
from fmae_iat_plugin.faces.tracking import select_faces
from fmae_iat_plugin.inference.export import Graph, export_onnx
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.inference.inputs import find_inputs, read_items
from fmae_iat_plugin.inference.onnx_backend import OnnxBackend
from fmae_iat_plugin.parallel import usable_cores
from fmae_iat_plugin.synthfacs.renderer import render

ROOT = Path(__file__).parents[2]


class Used(NamedTuple):
    """What a piece of work took.

    Attributes:
        seconds (float): By the clock.
        core_seconds (float): Of all threads of this process.
        others (float): Cores that other programs kept busy meanwhile, on average.
        peak (float): Highest resident memory of this process meanwhile, MiB; nan if unknown.
    """

    seconds: float
    core_seconds: float
    others: float
    peak: float


def measured(work: Callable) -> tuple:
    """``work()`` and what it took."""
    gc.collect()
    reset = Path('/proc/self/clear_refs')
    if reset.exists():
        reset.write_text('5')  # the peak starts anew
    busy, start, cpu = _busy(), time.perf_counter(), time.process_time()
    result = work()
    seconds, own = time.perf_counter() - start, time.process_time() - cpu
    others = max(_busy() - busy - own, 0.) / seconds
    peak = [line.split()[1] for line in Path('/proc/self/status').read_text().splitlines()
            if line.startswith('VmHWM')] if reset.exists() else ['nan']
    return result, Used(seconds, own, others, float(peak[0]) / 1024)


def on_one_and_all(work: Callable, cores: int) -> tuple:
    """``work()``; what it took on one core; and each time it was done on all of them at once."""
    with threads(1):
        result, one = measured(work)
        with ThreadPoolExecutor(cores) as pool:
            _, every = measured(lambda: list(pool.map(lambda _: work(), range(cores))))
    return result, one, every._replace(seconds=every.seconds / cores,
                                       core_seconds=every.core_seconds / cores)


def _busy() -> float:
    """Core-seconds that all programs, and other virtual machines, have used; nan if unknown."""
    file = Path('/proc/stat')
    if not file.exists():
        return float('nan')
    user, nice, system, _, _, _, _, steal = map(int, file.read_text().split()[1:9])
    return (user + nice + system + steal) / os.sysconf('SC_CLK_TCK')


@contextmanager
def threads(number: int):
    """So many for PyTorch, and so for the face detector and new ONNX sessions."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def render_video(path: Path, frames: int) -> None:
    """A head that turns, smiles, opens its mouth, before a grey wall."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (640, 360))
    for number in range(frames):
        wave = np.sin(2 * np.pi * number / 50)
        face = render(3, {12: 2.5 + 2.5 * wave, 25: 2.5 - 2.5 * wave}, (12 * wave, 4 * wave, 0),
                      size=320, framing='portrait')[0][..., ::-1]
        frame = np.full((360, 640, 3), 128, dtype=np.uint8)
        left = 160 + int(60 * wave)
        frame[20:340, left:left + 320] = face
        writer.write(frame)
    writer.release()


def build_model(args: argparse.Namespace, folder: Path) -> tuple:
    """Config and checkpoint; of the default model, with weights of its own."""
    if args.config:
        return Config.fromfile(args.config), args.weights
    cfg = Config.fromfile(ROOT / 'configs' / 'iat' / 'fmae_bp4d_fold1.py')
    cfg.merge_from_dict(dict(model=dict(
        backbone=dict(arch='deit-small'), head=dict(in_channels=384), pretrained=None)))
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), folder / 'random.pth')
    return cfg, str(folder / 'random.pth')


def stages(infer: AUInferencer, video: Path, cores: int) -> tuple:
    """Each stage over all frames: {name: (one core, all cores)}; packed crops; number of frames.

    The model's is :func:`model_stage`.
    """
    used = {}

    def stage(name: str, work: Callable):
        result, *used[name] = on_one_and_all(work, cores)
        return result

    skipped: list = []
    pairs = stage('read', lambda: list(read_items(find_inputs(str(video)), 1, skipped)))
    if not pairs:
        raise ValueError(f'{video} cannot be read: {skipped}. Remedy: give another --video.')
    images = [frame.image for _, frame in pairs]
    found = stage('detect', lambda: [infer.detector([image])[0] for image in images])
    chosen = [select_faces(faces, image.shape[1], image.shape[0], infer.crop.faces)
              for faces, image in zip(found, images)]
    crops = stage('crop', lambda: [crop_face(image, box, infer.crop)
                                   for image, faces in zip(images, chosen) for box, _ in faces])
    if not crops:
        raise ValueError(f'no face was found in {video}. Remedy: give a --video with faces.')
    packed = stage('pipeline', lambda: [infer.pipeline(dict(img=crop)) for crop in crops])
    return used, packed, len(images)


def model_stage(cfg: Config, weights: str, device: str, packed: list, cores: int) -> list:
    """The model over all faces: one core, all cores."""
    with threads(1):
        infer = AUInferencer(cfg, weights, device)
        infer.backend(packed[:1])
    return list(on_one_and_all(lambda: [infer.backend(packed[first:first + 32])
                                        for first in range(0, len(packed), 32)], cores)[1:])


def best(function: Callable, batch: int, seconds: float = 2.) -> tuple:
    """Faces a second by the clock and a core-second, in the best call, and the peak of memory."""
    function()

    def work() -> list:
        calls, start = [], time.perf_counter()
        while len(calls) < 3 or (time.perf_counter() - start < seconds and len(calls) < 200):
            clock, cpu = time.perf_counter(), time.process_time()
            function()
            calls.append((time.perf_counter() - clock, time.process_time() - cpu))
        return calls
    calls, used = measured(work)
    return batch / min(clock for clock, _ in calls), batch / min(cpu for _, cpu in calls), used.peak


def runtimes(infer: AUInferencer, exact: Path, small: Path, packed: list, compiled: bool) -> dict:
    """{(runtime, batch): faces a second} of the model alone, all cores."""
    graph = Graph(infer.backend.model).eval()
    device, rates = infer.backend.device, {}
    calls = {'PyTorch': graph, **({'compiled': torch.compile(graph)} if compiled else {})}
    work = {name: lambda faces, call=call: call(faces.to(device)).cpu()
            for name, call in calls.items()}
    for batch in (1, 32):
        for name, path in (('ONNX', exact), ('int8', small)):
            run = OnnxBackend(path, 'cpu')
            work[name] = lambda faces, run=run: run([dict(inputs=face) for face in faces])
        faces = torch.stack([packed[row % len(packed)]['inputs'] for row in range(batch)])
        for name, function in work.items():
            with torch.no_grad():
                rate, a_core, peak = best(partial(function, faces), batch)
            rates[name, batch] = rate
            print(f'  {name:8} batch {batch:2}: {rate:7.1f} faces a second, '
                  f'{rate / rates["PyTorch", batch]:.2f} x PyTorch; {a_core:7.1f} a core-second; '
                  f'peak {peak:.0f} MiB')
    return rates


def naive(infer: AUInferencer, video: Path) -> List[np.ndarray]:
    """Read, detect, crop, predict, one frame and one face after the other."""
    scores = []
    for _, frame in read_items(find_inputs(str(video)), 1, []):
        image = frame.image
        found, = infer.detector([image])
        for box, _ in select_faces(found, image.shape[1], image.shape[0], infer.crop.faces):
            scores.append(infer.scores([crop_face(image, box, infer.crop)])[0])
    return scores


def main(argv=None) -> dict:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--video', help='default: one is rendered')
    parser.add_argument('--frames', type=int, default=300, help='length of the rendered video')
    parser.add_argument('--config', help='default: ViT-S/16, 224 px')
    parser.add_argument('--weights', help='checkpoint of the config')
    parser.add_argument('--device', default='cpu', help='of PyTorch')
    parser.add_argument('--no-compile', action='store_true', help='leave torch.compile out')
    args = parser.parse_args(argv)
    if (args.config is None) != (args.weights is None):
        parser.error('--config and --weights go together')
    MMLogger.get_current_instance().setLevel('ERROR')
    warnings.filterwarnings('ignore')
    cores = min(usable_cores(), torch.get_num_threads())
    results: dict = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = Path(args.video or folder / 'rendered.mp4')
        if args.video is None:
            render_video(video, args.frames)
        cfg, weights = build_model(args, folder)
        infer = AUInferencer(cfg, weights, args.device)
        used, packed, frames = stages(infer, video, cores)
        used['model'] = model_stage(cfg, weights, args.device, packed, cores)
        size = 'x'.join(map(str, packed[0]['inputs'].shape[1:]))
        print(f'{frames} frames, {len(packed)} faces, {size} pixels; {cores} cores; '
              f'torch {torch.__version__} on {args.device}')
        print(f'Stages, each alone, core-ms a frame on one core and on {cores} at once:')
        for stage, (one, every) in used.items():
            print(f'  {stage:8} {1e3 * one.core_seconds / frames:7.2f} (others {one.others:.1f} '
                  f'cores), {1e3 * every.core_seconds / frames:7.2f} (others {every.others:.1f}); '
                  f'{frames / every.seconds:7.1f} frames a second; peak {one.peak:.0f} MiB')
        faces = folder / 'faces'
        faces.mkdir()
        for row, entry in enumerate(packed[::max(1, len(packed) // 8)]):
            cv2.imwrite(str(faces / f'{row}.png'), entry['inputs'].permute(1, 2, 0).numpy())
        exact, small = folder / 'model.onnx', folder / 'int8.onnx'
        export_onnx(cfg, weights, exact)
        export_onnx(cfg, weights, small, int8=True, calibration=faces, faces=8, f1=False)
        print(f'The model alone, {cores} threads, the best call:')
        results['model'] = runtimes(infer, exact, small, packed, not args.no_compile)
        print('The whole video:')
        for title, path in (('PyTorch', weights), ('ONNX', str(exact)), ('int8', str(small))):
            device = args.device if title == 'PyTorch' else 'cpu'
            if title != 'PyTorch':
                infer = AUInferencer(cfg, path, device)
                used['model'] = model_stage(cfg, path, device, packed, cores)
            results[title] = whole(title, infer, video, frames, used, cores, device != 'cpu')
    return results


def whole(title: str, infer: AUInferencer, video: Path, frames: int, used: dict,
          cores: int, on_gpu: bool) -> dict:
    """The naive loop, AUInferencer, and the line to reach."""
    scores, alone = measured(lambda: naive(infer, video))
    rows, piped = measured(lambda: list(infer.predict(str(video), batch_size=32)))
    found = np.array([row.probabilities for row in rows if row.success])
    if not np.allclose(found, scores, atol=.05 if title == 'int8' else 1e-4):
        raise ValueError(f'{title}: the naive loop and AUInferencer disagree.')
    quiet, needed = (sum(part[which].core_seconds for part in used.values()) / frames
                     for which in (0, 1))
    rate, naive_rate = frames / piped.seconds, frames / alone.seconds
    slowest = min(frames / every.seconds for _, every in used.values())
    line, free = .9 * (slowest if on_gpu else cores / needed), cores - piped.others
    told = f'{slowest:.1f}' if on_gpu else f'{cores} / {1e3 * needed:.1f} ms'
    print(f'  {title:8} naive loop {naive_rate:6.1f} frames a second (peak {alone.peak:.0f} MiB, '
          f'others {alone.others:.1f} cores), AUInferencer {rate:6.1f} (peak {piped.peak:.0f} MiB, '
          f'others {piped.others:.1f} cores): {rate / naive_rate:.2f} x')
    print(f'  {"":8} it took {1e3 * piped.core_seconds / frames:.1f} core-ms a frame (stages on '
          f'one core: {1e3 * quiet:.1f}); slowest stage alone {slowest:.1f} frames a second')
    print(f'  {"":8} line 0.9 x {told} = {line:.1f}: {"reached" if rate >= line else "missed"} '
          f'({rate / line:.2f} of it); with the {free:.1f} cores that were free '
          f'{line * free / cores:.1f}: {"reached" if rate >= line * free / cores else "missed"}')
    return dict(naive=naive_rate, pipelined=rate, line=line, core_seconds=needed)


if __name__ == '__main__':
    main()
