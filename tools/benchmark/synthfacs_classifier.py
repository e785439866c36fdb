# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Do rendered action units carry over? A small CNN is trained on renders only.

    python tools/benchmark/synthfacs_classifier.py [--people 300] [--epochs 10] [--real FOLDER]

Prints the AUC of each AU (positive from intensity 2) on renders of people it never saw, and with
--real on real faces: FOLDER/labels.csv with a column `image` and columns AU1, AU2, ... of 0 and 1.
Faces are 48 px, grey, any view; jaw drop (26) of real faces counts mouth stretch (27) as well.
"""
import argparse
import os

for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ.setdefault(_name, '1')

from pathlib import Path  # noqa: E402

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
from rich.progress import track  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from fmae_iat_plugin.evaluation.scores import roc_auc  # noqa: E402
from fmae_iat_plugin.synthfacs.renderer import (  # noqa: E402
    AUS,
    render,  # noqa: E402
)
from fmae_iat_plugin.synthfacs.renderer.sampling import sample_intensities, sample_view  # noqa: E402

SIZE = 48


def faces(first: int, people: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey renders ``[N, 48, 48]`` and intensities ``[N, 17]``."""
    images, labels = [], []
    for person in track(range(first, first + people), 'Rendering people'):
        rng = np.random.default_rng([person, 99])
        for _ in range(frames):
            intensities = sample_intensities(rng)
            pose, light, camera = sample_view(rng, 1.0)
            image, _ = render(person, intensities, pose, light, size=SIZE, camera=camera)
            images.append(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
            labels.append([intensities.get(au, 0) for au in AUS])
    return np.stack(images), np.array(labels, np.float32)


def real_faces(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Grey images ``[N, 48, 48]`` and labels ``[N, 17]``, NaN where the table has no such AU."""
    table = pd.read_csv(folder / 'labels.csv')
    images = np.stack([cv2.resize(cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE),
                                  (SIZE, SIZE)) for name in table['image']])
    labels = np.full((len(table), len(AUS)), np.nan, np.float32)
    for column, au in enumerate(AUS):
        if f'AU{au}' in table:
            labels[:, column] = table[f'AU{au}']
    if 'AU27' in table:
        labels[:, AUS.index(26)] = np.fmax(labels[:, AUS.index(26)], table['AU27'])
    return images, labels


def standard(images: np.ndarray) -> torch.Tensor:
    """``[N, 1, 48, 48]``, each image to mean 0 and deviation 1."""
    x = torch.tensor(images, dtype=torch.float32)[:, None]
    return (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), keepdim=True) + 5)


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                         nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def train(x: torch.Tensor, intensities: torch.Tensor, epochs: int) -> nn.Module:
    """Weighted BCE; traces below intensity 2 are neither clear negatives nor positives."""
    target = (intensities >= 2).float()
    weight = torch.where((intensities > 0) & (intensities < 2), 0.2, 1.0)
    rate = target.mean(0)
    net = nn.Sequential(block(1, 16), block(16, 24, 2), block(24, 32), nn.MaxPool2d(2),
                        block(32, 64), nn.MaxPool2d(2), block(64, 96), nn.Flatten(),
                        nn.Dropout(.3), nn.Linear(96 * 36, len(AUS)))
    net = net.to(memory_format=torch.channels_last)
    batches = len(x) // 64
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * batches)
    rng = np.random.default_rng(0)
    for _ in track(range(epochs), 'Training on renders'):
        order = rng.permutation(len(x))
        for rows in np.split(order[:batches * 64], batches):
            image = x[rows]
            if rng.random() < .5:
                image = image.flip(3)
            image = torch.roll(image, rng.integers(-3, 4, 2).tolist(), (2, 3))
            if rng.random() < .3:
                image = F.avg_pool2d(image, 3, 1, 1)
            image = image * float(rng.uniform(.8, 1.25)) + .05 * torch.randn_like(image)
            logits = net(image.contiguous(memory_format=torch.channels_last))
            loss = F.binary_cross_entropy_with_logits(
                logits, target[rows], weight[rows], pos_weight=((1 - rate) / rate).clamp(max=6))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def auc(net: nn.Module, x: torch.Tensor, labels: np.ndarray) -> np.ndarray:
    """``[17]`` AUC, NaN where it is undefined; both mirror images are averaged."""
    scores = torch.cat([net(part) + net(part.flip(3)) for part in x.split(256)]).numpy()
    return roc_auc(scores, labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--people', type=int, default=300, help='to train on, 20 faces each')
    parser.add_argument('--test-people', type=int, default=60)
    parser.add_argument('--epochs', type=int, default=10)
    parser.add_argument('--real', type=Path, metavar='FOLDER')
    args = parser.parse_args()
    torch.manual_seed(0)
    images, intensities = faces(1000, args.people, 20)
    net = train(standard(images), torch.tensor(intensities), args.epochs)
    images, intensities = faces(5000, args.test_people, 20)
    columns = {'renders': auc(net, standard(images), (intensities >= 2).astype(np.float32))}
    if args.real:
        images, labels = real_faces(args.real)
        columns['real'] = auc(net, standard(images), labels)
    print('AU    ' + '  '.join(f'{name:>7}' for name in columns))
    for row, au in enumerate(AUS):
        print(f'{au:<4}  ' + '  '.join(f'{values[row]:7.3f}' for values in columns.values()))
    print('mean  ' + '  '.join(f'{np.nanmean(values):7.3f}' for values in columns.values()))


if __name__ == '__main__':
    main()
