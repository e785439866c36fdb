# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Training steps, ours beside the way of the FMAE authors, in one process.

Ours is the config's: its model, data preprocessor, optimizer and precision, blocks compiled, losses
read one step late. The authors' is rebuilt from library calls (:mod:`.authors_step`). Ours begins
with uint8 images in pinned memory and crops, flips and normalises them on the device where the
config does so; the authors' begins with what their workers make: float32, cropped, normalised,
pinned. Reading images is in neither. Both begin with the same weights, and their losses are
compared first.

A step on a GPU is the mean of all in a row, on a CPU the quickest, because other programs disturb.
MFU is the FLOPs of forward and backward (a multiply-add is two; attention as products) over those
of the device at its dense 16-bit peak. Waits are calls at which the host waits for the device.

The last line is the ratio of the images a second, each way at its best batch size. The authors'
AdamW is PyTorch's default, which has become quicker since; that of their day, tensor by tensor, is
printed, too, and is not what the ratio is of.
"""

import argparse
import contextlib
import gc
import sys
import time
import warnings
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from fmae_iat_plugin.engine.model_flops import peak_tflops
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.weights.zoo_index import zoo_root

from .authors_step import AuthorsStep
from .step_setup import OurStep, Setup, same_loss
from .training_step import load_config, peak_memory, reset_peak_memory, say

BATCHES = dict(small=(1024, 512), base=(512, 256), large=(256, 128), huge=(128, 64))


class Speed(NamedTuple):
    """Of one way at one batch size."""

    images: float  # a second
    size: int


def seconds(step: Callable[[], None], device: str, steps: int, warmup: int) -> float:
    """Of a step: on a GPU the mean of ``steps`` in a row, on a CPU the quickest of them."""
    for _ in range(warmup):
        step()
    if device == 'cpu':
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        return min(times)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def waits(step: Callable[[], None]) -> int:
    """How often the host waits for the device in a step, but for waits for an event."""
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return sum('synchronizing' in str(warning.message) for warning in caught)


class Race:
    """The ways at several batch sizes, within a limit of time.

    Args:
        setup: See :class:`Setup`.
        args: Of the command line.
        ends: When to begin nothing more, by ``time.perf_counter``.
    """

    def __init__(self, setup: Setup, args: argparse.Namespace, ends: float):
        self.setup, self.args, self.ends = setup, args, ends
        self.best: Dict[str, Speed] = {}

    def make(self, way: str, size: int) -> Callable[[], None]:
        """A step of a way."""
        setup, optimizer = self.setup, self.setup.cfg.optim_wrapper
        if way.startswith('ours'):
            return OurStep(setup, size, way == 'ours, compiled',
                           self.args.warmup + self.args.steps + 1)
        decay = optimizer.get('paramwise_cfg', {}).get('layer_decay_rate', 1.)
        return AuthorsStep(setup.authors(), optimizer.optimizer, decay, setup.normalised(size),
                           foreach=False if way == "authors' way, AdamW of their day" else None)

    def run(self, way: str, size: int) -> None:
        """Measure and print."""
        if time.perf_counter() > self.ends:
            say(f'{way}, batch {size}: left out, the time is over (--budget)')
            return
        device, args = self.setup.device, self.args
        clear()
        began = time.perf_counter()
        try:
            step = self.make(way, size)
            reset_peak_memory(device)
            took = seconds(step, device, args.steps, args.warmup)
        except torch.cuda.OutOfMemoryError:
            say(f'{way}, batch {size}: the memory of the device does not suffice')
            return
        except Exception as error:  # noqa: BLE001  a compiler has many ways to fail
            if 'compiled' not in way:
                raise
            say(f'{way}, batch {size}: failed, {type(error).__name__}: '
                f'{str(error).strip().splitlines()[0][:200]}')
            return
        images = size / took
        line = (f'{way}, batch {size}: {images:,.1f} images/s, {1000 * took:,.1f} ms a step, '
                f'peak {peak_memory(device)}')
        if args.peak_tflops:
            line += f', MFU {images * self.setup.flops / args.peak_tflops / 1e12:.1%}'
        if device == 'cuda':
            line += f', {waits(step)} waits a step'
        say(f'{line}; {time.perf_counter() - began:.1f} s in all')
        if way not in self.best or images > self.best[way].images:
            self.best[way] = Speed(images, size)


def clear() -> None:
    """Forget what was compiled and allocated before."""
    gc.collect()
    torch.compiler.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def race(name: str, cfg: Config, sizes: Sequence[int], args: argparse.Namespace,
         ends: float) -> Optional[float]:
    """Print a network's lines; returns the ratio, None where a way was not measured."""
    setup = Setup(cfg, args.device)
    one, other = same_loss(setup)
    say(f'{name}: {setup.flops / 1e9:.1f} GFLOP an image, forward and backward')
    say(f'loss of the same weights, images and masks, fp32: ours {one:.7f}, authors\' '
        f'{other:.7f}, difference {abs(one - other):.1e}')
    runs = Race(setup, args, ends)
    for way in ("authors' way", 'ours, not compiled'):
        for size in sizes:
            runs.run(way, size)
    if args.compile:  # last, for it takes long; what was quickest without comes first
        best = runs.best.get('ours, not compiled', Speed(0, sizes[0]))
        for size in sorted(sizes, key=lambda size: size != best.size):
            runs.run('ours, compiled', size)
    if "authors' way" in runs.best:
        runs.run("authors' way, AdamW of their day", runs.best["authors' way"].size)
    clear()
    ours = [speed for way, speed in runs.best.items() if way.startswith('ours')]
    if not ours or "authors' way" not in runs.best:
        return None
    return max(ours).images / runs.best["authors' way"].images


def parse(argv: Optional[List[str]], what: str, budget: float, arch: Sequence[str]
          ) -> argparse.Namespace:
    """Of both tools.

    Raises:
        ValueError: If a number is out of range.
    """
    parser = argparse.ArgumentParser(description=f'{what}\n\n{__doc__}',
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    if len(arch) > 1:
        parser.add_argument('--arch', nargs='+', choices=arch, default=['base', 'large'],
                            help='sizes of ViT; default: base large')
    parser.add_argument('--quick', action='store_true',
                        help='a small network, few steps: ends within 40 s on two cores')
    parser.add_argument('--batch-size', type=int, nargs='+',
                        help='several: the best counts; default: by the size of the network')
    parser.add_argument('--steps', type=int, default=15, help='timed; default: 15')
    parser.add_argument('--warmup', type=int, default=5, help='before them; default: 5')
    parser.add_argument('--device', choices=('cpu', 'cuda'),
                        default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--compile', action=argparse.BooleanOptionalAction,
                        help='our blocks; default: on a GPU')
    parser.add_argument('--peak-tflops', type=float, help="default: by the device's name")
    parser.add_argument('--budget', type=float, default=budget,
                        help=f'seconds after which nothing more is begun; default: {budget:g}')
    args = parser.parse_args(argv)
    for name in ('steps', 'warmup', *(['batch_size'] if args.batch_size else [])):
        values = getattr(args, name)
        if min(values if isinstance(values, list) else [values]) < 1:
            raise ValueError(f'--{name.replace("_", "-")} {values} must be at least 1.')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise ValueError('--device cuda: no such device here. Remedy: --device cpu.')
    if args.device == 'cuda':
        args.peak_tflops = args.peak_tflops or peak_tflops()
    if args.compile is None:
        args.compile = args.device == 'cuda'
    return args


def small_pretraining(cfg: Config) -> None:
    """A network for --quick, 64 pixels wide."""
    cfg.model.backbone.update(arch=dict(embed_dims=192, num_layers=4, num_heads=3,
                                        feedforward_channels=768), img_size=64)
    cfg.model.neck.update(num_patches=16, embed_dim=192, decoder_embed_dim=128, decoder_depth=2,
                          decoder_num_heads=4)
    cfg.model.data_preprocessor.random_resized_crop.size = 64


def small_finetuning(cfg: Config) -> None:
    """The same for fine-tuning."""
    cfg.model.backbone.update(arch=dict(embed_dims=192, num_layers=4, num_heads=3,
                                        feedforward_channels=768), img_size=64)
    cfg.model.head.in_channels = cfg.model.adversary.head.in_channels = 192


def run(args: argparse.Namespace, networks: Dict[str, Path], small: Callable[[Config], None],
        sizes: Callable[[str], Sequence[int]]) -> int:
    """Race each network; the ratio of the last one is the last line."""
    began = time.perf_counter()
    where = torch.cuda.get_device_name() if args.device == 'cuda' else (
        f'CPU, {torch.get_num_threads()} threads')
    peak = f', peak {args.peak_tflops:g} TFLOP/s' if args.peak_tflops else ''
    say(f'{where}{peak}; torch {torch.__version__}; {args.steps} steps after {args.warmup}; '
        f'{"fp16 and bf16 autocast" if args.device == "cuda" else "fp32"}')
    ratio: Optional[float] = None
    for number, (name, path) in enumerate(networks.items(), 1):
        cfg = load_config(str(path))
        if args.quick:
            small(cfg)
            name += ', made small'
        ratio = race(name, cfg, args.batch_size or sizes(name), args,
                     began + args.budget * number / len(networks))
        say(f'{name}: ' + ('ratio not measured' if ratio is None else f'ratio {ratio:.2f}'))
    say(f'ratio {float("nan") if ratio is None else ratio:.2f}')
    return 0


def command(argv, what: str, budget: float, arch: Sequence[str], small: Callable[[Config], None],
            networks: Callable[[argparse.Namespace], Dict[str, Path]],
            sizes: Callable[[str], Sequence[int]]) -> int:
    """Parse, race; returns the exit code."""
    MMLogger.get_current_instance().setLevel('ERROR')
    try:
        args = parse(argv, what, budget, arch)
        if args.quick:
            args.batch_size = args.batch_size or [32]
            args.steps, args.warmup = min(args.steps, 6), min(args.warmup, 2)
        with contextlib.suppress(KeyboardInterrupt):
            return run(args, networks(args), small, sizes)
        return 130
    except (ValueError, OSError) as error:
        return say_error(error)


def _config(name: str) -> Path:
    root = zoo_root()
    if root is None:
        raise FileNotFoundError('this installation carries no configs. Remedy: pip install '
                                '--force-reinstall --no-deps fmae_iat_plugin')
    return root / 'configs' / name


def pretrain(argv: Optional[List[str]] = None) -> int:
    """``tools/benchmark/pretrain_step.py``."""
    def networks(args: argparse.Namespace) -> Dict[str, Path]:
        arch = ['small'] if args.quick else args.arch
        return {f'ViT-{name} pretraining': _config(f'fmae/fmae_vit-{name}_face9m.py')
                for name in arch}

    return command(argv, 'Steps of the pretraining of FMAE on Face9M.', 90, tuple(BATCHES),
                   small_pretraining, networks,
                   lambda name: BATCHES[name.split()[0].removeprefix('ViT-')])


def finetune(argv: Optional[List[str]] = None) -> int:
    """``tools/benchmark/finetune_step.py``."""
    return command(argv, 'Steps of the fine-tuning of FMAE-IAT (ViT-L) on BP4D.', 50, ('large', ),
                   small_finetuning,
                   lambda _: {'ViT-large fine-tuning with IAT': _config('iat/bp4d_fold1.py')},
                   lambda _: (64, 128))


if __name__ == '__main__':
    sys.exit(pretrain())
