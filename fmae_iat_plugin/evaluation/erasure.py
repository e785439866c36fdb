# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Complete linear removal of identity from a frozen feature, and an AU head refitted on the rest.

Source: Belrose et al., "LEACE: Perfect linear concept erasure in closed form" (NeurIPS 2023), by
the authors' package ``concept-erasure``. After it no linear classifier tells the people it was
fitted on better than guessing their rates, and no other affine map that achieves this moves the
feature less. It is the reference for an adversary: what complete linear removal costs and gives.
"""

from typing import Tuple

import numpy as np
import torch

from fmae_iat_plugin.extras import needs_extra


def erase_identity(train: np.ndarray, subjects: np.ndarray, *others: np.ndarray
                   ) -> Tuple[np.ndarray, ...]:
    """Fit the eraser on the frames of some people; apply it to them and to other frames.

    Args:
        train: ``[N, D]`` features.
        subjects: ``[N]`` their subjects, -1 = unknown (not fitted on).
        *others: ``[M, D]`` further features, such as those of test people.

    Returns:
        tuple: The erased ``train`` and ``others``, float32.

    Raises:
        ImportError: If ``concept-erasure`` is not installed.
        ValueError: If there are fewer than two people.
    """
    with needs_extra('interpret', 'LEACE'):
        from concept_erasure import LeaceEraser
    known = subjects >= 0
    people, index = np.unique(subjects[known], return_inverse=True)
    if len(people) < 2:
        raise ValueError(f'LEACE: {len(people)} people. Remedy: frames of at least two people.')
    x = torch.as_tensor(train[known]).double()
    one_hot = torch.nn.functional.one_hot(torch.as_tensor(index), len(people)).double()
    # the small directions are erased as well: what is left must be nothing
    eraser = LeaceEraser.fit(x, one_hot, svd_tol=1e-8)
    return tuple(eraser(torch.as_tensor(values).double()).float().numpy()
                 for values in (train, *others))


def refit_heads(train: np.ndarray, labels: np.ndarray, *others: np.ndarray
                ) -> Tuple[np.ndarray, ...]:
    """A logistic regression for each action unit on frozen features, as an AU head.

    Args:
        train: ``[N, D]`` features.
        labels: ``[N, C]`` 0, 1 or NaN (left out).
        *others: ``[M, D]`` features to predict.

    Returns:
        tuple: ``[M, C]`` probabilities of each of ``others``; of an action unit that training shows
        always or never, its rate.
    """
    with needs_extra('analysis', 'a refitted AU head'):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    out = [np.zeros((len(values), labels.shape[1]), np.float32) for values in others]
    for au, column in enumerate(labels.T):
        coded = ~np.isnan(column)
        if len(np.unique(column[coded])) < 2:
            for part in out:
                part[:, au] = column[coded].mean() if coded.any() else 0.5
            continue
        head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        head.fit(train[coded], column[coded].astype(int))
        for part, values in zip(out, others):
            part[:, au] = head.predict_proba(values)[:, 1]
    return tuple(out)
