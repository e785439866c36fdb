# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Small images with an annotation table, and an independent reader of both (PIL and csv)."""

import csv

import numpy as np
import torch
from PIL import Image

AUS = (1, 2, 4, 12, 25)
PEOPLE = tuple(f'P{number}' for number in range(6))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet


def write_faces(folder, count=40, empty=0., missing=0., unknown=0., seed=0):
    """Write ``count`` images of 60 x 52 px that show their labels, and ``annotation.csv``.

    Args:
        folder: Where to.
        count: Number of images.
        empty: Share of the images without any coded AU and without a subject.
        missing: Share of the other AU cells that are empty.
        unknown: Share of the other subjects that are empty.
        seed: Of everything.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(count):
        person, present = rng.integers(len(PEOPLE)), rng.random(len(AUS)) < 0.4
        pixels = rng.normal(128, 30, (52, 60, 3))
        pixels[:, :10] += 20 * person
        for slot, on in enumerate(present):
            pixels[10 * slot:10 * slot + 10, 20:] += 60 * on
        name = f'{index:03d}.png'
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
        blank = rng.random() < empty
        cells = ['' if blank or rng.random() < missing else str(int(on)) for on in present]
        # the first images name everybody, so that the table has all the people
        hidden = index >= len(PEOPLE) and (blank or rng.random() < unknown)
        subject = PEOPLE[index] if index < len(PEOPLE) else PEOPLE[person]
        rows.append([name, '' if hidden else subject, *cells])
    with open(folder / 'annotation.csv', 'w', newline='') as file:
        csv.writer(file).writerows([['image', 'subject', *(f'AU{au}' for au in AUS)], *rows])


def read_batch(folder, names):
    """Read images, labels and people back.

    Args:
        folder: See :func:`write_faces`.
        names: N file names.

    Returns:
        tuple: Images [N, 3, 48, 48], normalised; labels [N, 5], 1, 0 or NaN; people [N], -1 =
        unknown.
    """
    with open(folder / 'annotation.csv', newline='') as file:
        table = {row['image']: row for row in csv.DictReader(file)}
    images, labels, people = [], [], []
    for name in names:
        image = Image.open(folder / name).resize((48, 48), Image.Resampling.BILINEAR)
        images.append(torch.tensor(np.asarray(image), dtype=torch.float64).permute(2, 0, 1) / 255)
        row = table[name]
        labels.append([float(row[f'AU{au}'] or 'nan') for au in AUS])
        people.append(PEOPLE.index(row['subject']) if row['subject'] else -1)
    mean, std = (torch.tensor(value)[:, None, None] for value in (MEAN, STD))
    return (torch.stack(images) - mean) / std, torch.tensor(labels), torch.tensor(people)
