# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""t-SNE of features coloured by subject, and the purity of their neighbourhoods (paper: Fig. 4).

t-SNE is a picture and does not measure anything. The number beside it, kNN identity purity, is
computed in the feature space itself.
"""

from typing import Mapping, Tuple

import numpy as np
from matplotlib.figure import Figure

from .style import MARKERS, PALETTE, dress, new_figure


def _standardised(features: np.ndarray) -> np.ndarray:
    from sklearn.preprocessing import StandardScaler
    return StandardScaler().fit_transform(np.asarray(features, dtype=np.float64))


def embed(features: np.ndarray, seed: int = 0, perplexity: float = 30.0) -> np.ndarray:
    """Two-dimensional t-SNE of standardised features.

    Args:
        features: ``[N, D]``.
        seed: The same seed gives the same picture on one machine.
        perplexity: Effective number of neighbours; lowered to (N - 1) / 3 if necessary.

    Returns:
        ``[N, 2]``.
    """
    from sklearn.manifold import TSNE
    perplexity = min(perplexity, (len(features) - 1) / 3)
    return TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(
        _standardised(features))


def identity_purity(features: np.ndarray, subjects: np.ndarray,
                    neighbours: int = 10) -> Tuple[float, float]:
    """Share of a frame's nearest neighbours that show the same person.

    Args:
        features: ``[N, D]``; distances are Euclidean after standardising each dimension.
        subjects: ``[N]``.
        neighbours: Number of neighbours of each frame, without the frame itself.

    Returns:
        Purity in 0..1, and its chance level: the share of all other frames that show the same
        person.

    Raises:
        ValueError: If there are not more frames than ``neighbours``.
    """
    from sklearn.neighbors import NearestNeighbors
    subjects = np.asarray(subjects)
    if len(subjects) <= neighbours:
        raise ValueError(f'{len(subjects)} frames have no {neighbours} neighbours each. Remedy: '
                         'lower `neighbours`.')
    search = NearestNeighbors(n_neighbors=neighbours).fit(_standardised(features))
    found = search.kneighbors(return_distance=False)  # without the points themselves
    counts = np.unique(subjects, return_counts=True)[1]
    chance = (counts * (counts - 1)).sum() / (len(subjects) * (len(subjects) - 1))
    return float((subjects[found] == subjects[:, None]).mean()), float(chance)


def plot_tsne(embeddings: Mapping[str, np.ndarray], subjects: np.ndarray) -> Figure:
    """Draw one panel per model, side by side; colour and marker together identify the subject.

    Args:
        embeddings: Title -> ``[N, 2]``.
        subjects: ``[N]``, the same frames for all models.
    """
    figure = new_figure(4.2 * len(embeddings), 3.9)
    for axes, (title, points) in zip(figure.subplots(1, len(embeddings), squeeze=False)[0],
                                     embeddings.items()):
        for number, subject in enumerate(np.unique(subjects)):
            rows = subjects == subject
            axes.scatter(*points[rows].T, s=16, color=PALETTE[number % len(PALETTE)],
                         marker=MARKERS[number // len(PALETTE) % len(MARKERS)],
                         linewidths=0, alpha=0.85, rasterized=True)
        axes.set_title(title)
        dress(axes)
        axes.set(xticks=[], yticks=[])
        axes.set_aspect('equal', adjustable='datalim')
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure
