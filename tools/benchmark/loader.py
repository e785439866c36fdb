# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""From a record to a tensor that is ready for the device: images a second and core.

    python tools/benchmark/loader.py [--quick] [--images 2000]

On JPEGs of 224 x 224 pixels, in one process with one thread, in seconds of the CPU, so that other
programs count for little; the best of several rounds, which take turns. Ours is Face9M over a tar
shard, shuffled, collated. Beside it stands the way of the FMAE authors, rebuilt from library calls:
LMDB, PIL, torchvision's RandomResizedCrop, flip, ToTensor and Normalize, default_collate. Bare
decode is the quickest decoder over bytes in memory. Ours crops, flips and normalises on the device:
what that costs on this machine's is printed, too. The packages webdataset and mosaicml-streaming
are measured on the same files where they are installed (decoding as ours, collating, shuffled).

The last line is the ratio of ours to the authors' way.
"""
import argparse
import io
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import cv2
import numpy as np
import torch
import torchvision
from mmengine.logging import MMLogger
from PIL import Image
from torch.utils.data import default_collate
from torchvision import transforms

from fmae_iat_plugin.datasets import decoding
from fmae_iat_plugin.datasets.face9m import Face9M
from fmae_iat_plugin.datasets.packing import PackFace, face_collate
from fmae_iat_plugin.datasets.transforms import LoadFace
from fmae_iat_plugin.engine.permutation_sampler import Permutation
from fmae_iat_plugin.models import FaceDataPreprocessor
from fmae_iat_plugin.synthfacs.renderer import render

BATCH = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_images(number: int) -> List[bytes]:
    """Rendered faces with the noise of a camera, quality 95, as curation writes them."""
    generator = np.random.default_rng(0)
    face = render(0, size=224)[0]
    images = []
    for _ in range(number):
        shifted = np.roll(face, tuple(generator.integers(-20, 20, 2)), (0, 1)) * 1.
        shifted += generator.normal(0, 3, shifted.shape)
        buffer = io.BytesIO()
        Image.fromarray(shifted.clip(0, 255).astype(np.uint8)).save(buffer, 'JPEG', quality=95)
        images.append(buffer.getvalue())
    return images


def decoders() -> Dict[str, Callable[[bytes], object]]:
    """Those that are installed."""
    rgb = torchvision.io.ImageReadMode.RGB
    found: Dict[str, Callable[[bytes], object]] = {
        'Pillow': lambda data: np.asarray(Image.open(io.BytesIO(data)).convert('RGB')),
        'cv2': lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR),
        'torchvision': lambda data: torchvision.io.decode_jpeg(
            torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=rgb)}
    try:
        import simplejpeg
        found['simplejpeg'] = lambda data: simplejpeg.decode_jpeg(data, 'BGR')
    except ImportError:
        pass
    try:
        from turbojpeg import TurboJPEG
        found['PyTurboJPEG'] = TurboJPEG().decode
    except (ImportError, RuntimeError):
        pass
    return found


def in_batches(samples: Iterator, collate: Callable) -> int:
    """Collate all samples; returns their number."""
    batch, count = [], 0
    for sample in samples:
        batch.append(sample)
        count += 1
        if len(batch) == BATCH:
            collate(batch)
            batch = []
    return count


def ours(folder: Path, images: List[bytes]) -> Callable[[], int]:
    with tarfile.open(folder / '0.tar', 'w') as tar:
        for number, data in enumerate(images):
            member = tarfile.TarInfo(f'{number:06d}.jpg')
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    dataset = Face9M(str(folder / '0.tar'), pipeline=[LoadFace(), PackFace()])
    order = Permutation(len(images), (0, ))(np.arange(len(images))).tolist()

    def read() -> int:
        for first in range(0, len(order), BATCH):
            face_collate(dataset.__getitems__(order[first:first + BATCH]))
        return len(order)

    return read


def authors(folder: Path, images: List[bytes]) -> Callable[[], int]:
    """Raises:
        ImportError: If lmdb is not installed.
    """
    import lmdb
    env = lmdb.open(str(folder / 'lmdb'), map_size=2**32)
    with env.begin(write=True) as change:
        for number, data in enumerate(images):
            change.put(f'{number:06d}'.encode(), data)
    transform = transforms.Compose([
        transforms.RandomResizedCrop(224, scale=(0.2, 1.0),
                                     interpolation=transforms.InterpolationMode.BICUBIC),
        transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    order = np.random.default_rng(0).permutation(len(images))

    def samples() -> Iterator:
        with env.begin() as read:
            keys = [key for key, _ in read.cursor()]
        for number in order:
            with env.begin(write=False) as read:
                data = read.get(keys[number])
            yield transform(Image.open(io.BytesIO(data)).convert('RGB')), 0

    return lambda: in_batches(samples(), default_collate)


def by_webdataset(folder: Path, images: List[bytes]) -> Callable[[], int]:
    """The shard that :func:`ours` wrote."""
    import webdataset

    def samples() -> Iterator:
        data = webdataset.WebDataset(str(folder / '0.tar'), shardshuffle=False).shuffle(1000)
        for sample in data:
            yield dict(inputs=torch.from_numpy(decoding.decode_image(sample['jpg'])
                                               ).permute(2, 0, 1))

    return lambda: in_batches(samples(), face_collate)


def by_streaming(folder: Path, images: List[bytes]) -> Callable[[], int]:
    """The same images, in mosaicml-streaming's format."""
    from streaming import MDSWriter, StreamingDataset
    with MDSWriter(out=str(folder / 'mds'), columns=dict(image='bytes')) as out:
        for data in images:
            out.write(dict(image=data))
    dataset = StreamingDataset(local=str(folder / 'mds'), shuffle=True, batch_size=BATCH)

    def samples() -> Iterator:
        for sample in dataset:
            yield dict(inputs=torch.from_numpy(decoding.decode_image(sample['image'])
                                               ).permute(2, 0, 1))

    return lambda: in_batches(samples(), face_collate)


def cpu(work: Callable[[], int]) -> float:
    """CPU seconds an image, of this process."""
    start = time.process_time()
    number = work()
    return (time.process_time() - start) / number


def device_cost(rounds: int) -> str:
    """What crop, flip and normalisation of a batch cost on the device."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    plain = dict(mean=[255 * value for value in MEAN], std=[255 * value for value in STD],
                 to_rgb=True)
    batch = dict(inputs=torch.randint(0, 256, (BATCH, 224, 224, 3), dtype=torch.uint8).permute(
        0, 3, 1, 2).to(device))
    times = []
    for options in (plain, dict(plain, random_resized_crop=dict(size=224))):
        preprocess, best = FaceDataPreprocessor(**options).to(device), float('inf')
        for _ in range(rounds + 1):
            clock = time.perf_counter if device == 'cuda' else time.process_time
            start = clock()
            preprocess(batch, training=True)
            if device == 'cuda':
                torch.cuda.synchronize()
            best = min(best, clock() - start)
        times.append(best / BATCH)
    name = torch.cuda.get_device_name() if device == 'cuda' else 'one core'
    return (f'on the device ({name}): crop, flip and normalisation {times[1] * 1e6:.1f} us an '
            f'image ({1 / times[1]:,.0f}/s), normalisation alone {times[0] * 1e6:.1f} us')


def compare(number: int, rounds: int, folder: Path) -> float:
    """Print every speed; returns the ratio."""
    images = make_images(number)
    print(f'{number} JPEGs of 224 x 224 pixels, {np.mean([len(i) for i in images]) / 1000:.1f} kB '
          f'each; torch {torch.__version__}, one thread, best of {rounds}')
    found = decoders()
    works: Dict[str, Callable[[], int]] = {
        f'decode {name}': lambda decode=decode: sum(decode(data) is not None for data in images)
        for name, decode in found.items()}
    for name, make in (('ours', ours), ("authors' way", authors), ('webdataset', by_webdataset),
                       ('mosaicml-streaming', by_streaming)):
        try:
            works[name] = make(folder, images)
        except ImportError as error:
            print(f'{name} is not measured: {error}')
    best = dict.fromkeys(works, float('inf'))
    for _ in range(rounds):
        for name, work in works.items():
            best[name] = min(best[name], cpu(work))
    bare = min(best[name] for name in works if name.startswith('decode'))
    for name, value in best.items():
        print(f'{name:20} {1 / value:8,.0f} images a second and core, {bare / value:5.0%} of the '
              'quickest decode')
    print(device_cost(rounds))
    return best["authors' way"] / best['ours'] if "authors' way" in best else float('nan')


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='ends within 40 s')
    parser.add_argument('--images', type=int, help='default: 2000, with --quick 320')
    args = parser.parse_args(argv)
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    number = args.images or (320 if args.quick else 2000)
    with tempfile.TemporaryDirectory() as folder:
        ratio = compare(number, 3 if args.quick else 5, Path(folder))
    print(f'ratio {ratio:.2f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
