# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What a training step of a config costs: seconds, memory, FLOPs; hours of the whole training.

    python tools/benchmark/training_step.py CONFIG [--batch-size 4] [--steps 10] [--device cuda]
    python tools/benchmark/training_step.py CONFIG --peak-tflops 989 --utilization 0.35

Whole steps on random images: preprocessing of the batch on the device, forward, loss, backward,
optimizer, in the config's precision (fp32 on a CPU). Reading and augmenting images, validation and
checkpoints are not in it.

FLOPs are those of matrix products, convolutions and attention, forward and backward, a
multiply-add being two; counted on the shapes of one image (attention as products, nothing
recomputed: they do not depend on the device) and proportional to the batch. With
``--peak-tflops`` the hours on a device of that peak are estimated: FLOPs / (peak x utilization).
Dense fp16 and bf16 peaks that NVIDIA states: H100 SXM 989, A100 312. The utilization is an
assumption.

Images of an epoch, unless ``--images`` says otherwise: Face9M 9,000,000; BP4D two thirds of
146,423; BP4D+ three quarters of 197,629; DISFA two thirds of 130,311; RAF-DB 12,271; AffectNet
37,553.
"""
import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple, Optional

import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

import fmae_iat_plugin.full  # noqa: F401  registers
from fmae_iat_plugin.engine import model_flops
from fmae_iat_plugin.errors import say_error

IMAGES = dict(Face9M=9_000_000, BP4D=146_423 * 2 // 3, BP4DPlus=197_629 * 3 // 4,
              DISFA=130_311 * 2 // 3, RAFDB=12_271, AffectNet=37_553)


def say(line: str) -> None:
    """At once, even into a pipe."""
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


def load_config(path: str) -> Config:
    """A config; where it counts the people of its table, which need not be there, they are 30."""
    cfg = Config.fromfile(path)
    adversary = cfg.model.get('adversary')
    if adversary and adversary.head.get('num_subjects') is None:
        adversary.head.num_subjects = 30
    return cfg


def random_samples(model: ConfigDict, size: int) -> list:
    """Labels of the kind that the model's heads learn; all coded, all subjects known."""
    head, adversary = model.head, model.get('adversary')
    samples = [DataSample() for _ in range(size)]
    for sample in samples:
        if head.type == 'AUHead':
            sample.set_gt_score(torch.randint(0, 2, (head.num_classes, )).float())
        elif 'num_classes' in head:
            sample.set_gt_label(int(torch.randint(0, head.num_classes, ())))
        if adversary:
            subject = int(torch.randint(0, adversary.head.num_subjects, ()))
            sample.set_field(subject, 'subject', field_type='metainfo')
    return samples


def count_flops(model: ConfigDict) -> int:
    """Forward and backward of one image; on shapes alone, so nothing is computed."""
    with torch.device('meta'):
        net = MODELS.build({**model, 'data_preprocessor': None}).train()
        image = torch.rand(1, 3, model.backbone.img_size, model.backbone.img_size)
    return model_flops.count_flops(net, image, random_samples(model, 1))


def build_wrapper(model: torch.nn.Module, cfg: Config, device: str) -> OptimWrapper:
    """The config's optimizer; fp32 on a CPU, whatever else this machine has."""
    wrapper = dict(cfg.optim_wrapper)
    if device == 'cpu' and wrapper['type'] == 'MixedPrecisionOptimWrapper':
        wrapper = {key: value for key, value in wrapper.items()
                   if key not in ('dtype', 'loss_scale')}
        wrapper['type'] = 'OptimWrapper'
    return build_optim_wrapper(model, wrapper)


class Step:
    """A training step of a config on random images, as MMEngine's loop makes it."""

    def __init__(self, cfg: Config, size: int, device: str):
        init_default_scope('mmpretrain')
        torch.manual_seed(0)
        self.model = MODELS.build(cfg.model).to(device).train()
        self.optim_wrapper = build_wrapper(self.model, cfg, device)
        self.precision = 'float32' if device == 'cpu' else cfg.optim_wrapper.get('dtype', 'float32')
        side = cfg.model.backbone.img_size
        self.batch = dict(inputs=torch.randint(0, 256, (size, 3, side, side), dtype=torch.uint8),
                          data_samples=random_samples(cfg.model, size))

    def __call__(self) -> None:
        self.model.train_step(self.batch, self.optim_wrapper)


def seconds_a_step(step: Step, device: str, steps: int, warmup: int) -> float:
    """Median over ``steps``."""
    def synchronize() -> None:
        if device == 'cuda':
            torch.cuda.synchronize()

    times = []
    for _ in range(warmup + steps):
        synchronize()
        start = time.perf_counter()
        step()
        synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[warmup:])


class Training(NamedTuple):
    """How long a training is.

    Attributes:
        images (int): Of an epoch.
        batch_size (int): In total.
        epochs (int): How many.
    """

    images: int
    batch_size: int
    epochs: int

    @property
    def steps(self) -> int:
        """The incomplete last batch of an epoch is left out."""
        return self.images // self.batch_size * self.epochs

    def hours(self, seconds_an_image: float) -> float:
        return self.steps * self.batch_size * seconds_an_image / 3600


def length_of_training(cfg: Config, images: Optional[int]) -> Training:
    """See :class:`Training`.

    Raises:
        ValueError: If the data set's size is not known, or smaller than a batch.
    """
    name = cfg.train_dataloader.dataset.type
    images = images or IMAGES.get(name)
    if images is None:
        raise ValueError(f'the number of images of {name} is not known. Remedy: --images N.')
    training = Training(images, cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs)
    if not training.steps:
        raise ValueError(f'{images} images are fewer than a batch of {training.batch_size}.')
    return training


def reset_peak_memory(device: str) -> None:
    """What was allocated before does not count; of a process it does."""
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: str) -> str:
    if device == 'cpu':
        import resource  # Windows has none
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux: KiB
        return f'{peak / 2**30:.2f} GiB resident, of the whole process'
    return f'{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB allocated on the device'


def check(args: argparse.Namespace) -> None:
    """Raises:
        ValueError: If a number is out of range.
        FileNotFoundError: If the config does not exist.
    """
    if not Path(args.config).is_file():
        raise FileNotFoundError(f'config {args.config} does not exist.')
    for name, least in (('batch_size', 1), ('steps', 0), ('warmup', 0), ('images', 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ValueError(f'--{name.replace("_", "-")} {value} must be at least {least}.')
    if args.peak_tflops is not None and args.peak_tflops <= 0:
        raise ValueError(f'--peak-tflops {args.peak_tflops} must be positive.')
    if not 0 < args.utilization <= 1:
        raise ValueError(f'--utilization {args.utilization} must lie in (0, 1].')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise ValueError('--device cuda: no such device here. Remedy: --device cpu.')


def measure(args: argparse.Namespace) -> dict:
    """Print what is said above; the numbers by name."""
    cfg = load_config(args.config)
    training = length_of_training(cfg, args.images)
    if 'pretrained' in cfg.model:
        cfg.model.pretrained = None  # what the weights are changes no time
    flops = count_flops(cfg.model)
    whole = training.hours(flops) * 3600
    say(f'{args.config}: {training.images:,} images x {training.epochs} epochs, batch '
          f'{training.batch_size}: {training.steps:,} steps')
    say(f'counted: {flops / 1e9:.1f} GFLOP an image, {flops * training.batch_size / 1e12:.2f} '
          f'TFLOP a step, {whole / 1e18:.2f} EFLOP the training')
    found: dict = dict(flops=flops, steps=training.steps)
    if args.steps:
        size = args.batch_size or training.batch_size
        step = Step(cfg, size, args.device)
        seconds = seconds_a_step(step, args.device, args.steps, args.warmup)
        here = torch.cuda.get_device_name() if args.device == 'cuda' else (
            f'CPU, {torch.get_num_threads()} threads')
        found.update(seconds=seconds, hours=training.hours(seconds / size))
        say(f'measured on {here}, {step.precision}, batch {size}, median of {args.steps}: '
              f'{seconds:.3f} s a step, {size / seconds:.2f} images/s, '
              f'{flops * size / seconds / 1e12:.3f} TFLOP/s; peak {peak_memory(args.device)}; '
              f'{found["hours"]:,.2f} h the training at this speed')
    if args.peak_tflops:
        found['estimated_hours'] = whole / (args.peak_tflops * 1e12 * args.utilization) / 3600
        say(f'estimated, not measured: {found["estimated_hours"]:,.2f} h on one device of '
              f'{args.peak_tflops:g} TFLOP/s, if {args.utilization:.0%} of them are used')
    return found


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--batch-size', type=int, help="default: the config's total")
    parser.add_argument('--steps', type=int, default=10, help='timed; 0: only count; default: 10')
    parser.add_argument('--warmup', type=int, default=3, help='before them; default: 3')
    parser.add_argument('--device', choices=('cpu', 'cuda'),
                        default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--images', type=int, help='of an epoch; default: see above')
    parser.add_argument('--peak-tflops', type=float, help='of a device to estimate for')
    parser.add_argument('--utilization', type=float, default=.35, help='of it; default: 0.35')
    args = parser.parse_args(argv)
    MMLogger.get_current_instance().setLevel('ERROR')
    try:
        check(args)
        measure(args)
    except (ValueError, OSError) as error:
        return say_error(error)
    return 0


if __name__ == '__main__':
    sys.exit(main())
