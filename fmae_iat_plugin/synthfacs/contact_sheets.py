# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Contact sheets: renders side by side, with captions, for people to judge."""
import cv2
import numpy as np

from .renderer.muscles import AUS
from .renderer.render import render
from .renderer.sampling import sample_intensities, sample_view

# Expressions that people who know FACS expect to read in a face, for the combinations sheet.
COMBINATIONS = ({1: 4, 4: 4}, {1: 4, 2: 4, 5: 3}, {6: 4, 12: 4}, {6: 4, 12: 5, 25: 4},
                {1: 4, 2: 5, 5: 4, 25: 3, 26: 4}, {1: 4, 4: 3, 15: 4, 17: 3},
                {4: 4, 5: 3, 7: 3, 23: 4}, {4: 4, 7: 3, 24: 4, 17: 2}, {9: 4, 10: 2, 17: 3},
                {10: 4, 25: 3, 4: 2}, {1: 4, 2: 3, 4: 3, 5: 4, 20: 4, 25: 3}, {14: 4, 12: 2})


def label(image, text):
    """A copy of the image with a caption in its upper left corner."""
    out = image.copy()
    scale = max(image.shape[0] / 420, 0.32)
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(out, text, (4, int(32 * scale)), cv2.FONT_HERSHEY_SIMPLEX, scale, colour,
                    thick, cv2.LINE_AA)
    return out


def tile(images, columns, gap=2):
    """Images of equal size in rows of ``columns``, with white gaps and white empty places."""
    images = [cv2.copyMakeBorder(im, 0, gap, 0, gap, cv2.BORDER_CONSTANT, value=(255,) * 3)
              for im in images]
    images += [np.full_like(images[0], 255)] * (-len(images) % columns)
    return np.vstack([np.hstack(images[k:k + columns]) for k in range(0, len(images), columns)])


def caption(aus):
    """'1+2+5' for an expression, 'neutral' for no unit."""
    return '+'.join(str(au) for au in sorted(aus)) or 'neutral'


def apex_sheet(identity, size=208, columns=6):
    """The neutral face, then every unit alone at intensity 5."""
    faces = [{}, *({au: 5} for au in AUS)]
    return tile([label(render(identity, a, size=size)[0], f'AU {caption(a)}' if a else 'neutral')
                 for a in faces], columns)


def intensity_sheet(identity, size=104):
    """One row per unit, intensities 0 to 5."""
    return tile([label(render(identity, {au: v} if v else {}, size=size)[0], f'{au}: {v}')
                 for au in AUS for v in range(6)], 12)


def identity_sheet(seeds, size=208, columns=6):
    """Neutral people: head and shoulders, then the face crop."""
    rows = [[render(s, size=size, framing=f)[0] for s in seeds] for f in ('portrait', 'crop')]
    out = []
    for k in range(0, len(seeds), columns):
        out += rows[0][k:k + columns] + rows[1][k:k + columns]
    return tile(out, columns)


def combination_sheet(seeds, size=208, columns=6):
    """Expressions of several units."""
    return tile([label(render(seeds[k % len(seeds)], aus, size=size)[0], caption(aus))
                 for k, aus in enumerate(COMBINATIONS)], columns)


def view_sheet(count=18, size=156, columns=6, seed=0):
    """Random people, expressions, poses, lights and cameras."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(count):
        aus = sample_intensities(rng)
        pose, light, camera = sample_view(rng)
        out.append(label(render(k, aus, pose, light, size, camera=camera)[0], caption(aus)))
    return tile(out, columns)


def write_jpeg(path, image, limit):
    """Write an RGB image as a JPEG of at most ``limit`` bytes; returns the quality.

    Raises:
        ValueError: If quality 40 is still too large.
    """
    for quality in range(92, 39, -4):
        _, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= limit:
            path.write_bytes(data.tobytes())
            return quality
    raise ValueError(f'{path}: larger than {limit} bytes even at JPEG quality 40; '
                     'render smaller faces')
