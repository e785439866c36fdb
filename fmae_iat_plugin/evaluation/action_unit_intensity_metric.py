# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""ActionUnitIntensityMetric: MMPretrain's evaluation of AU intensities.

The definitions are in :mod:`.intensity_scores`; frames are counted as by
:class:`~.action_unit_metric.ActionUnitMetric`.
"""

from io import StringIO
from typing import Any, Sequence, Tuple

import numpy as np
from mmengine.logging import MMLogger
from mmpretrain.registry import METRICS
from rich import box
from rich.console import Console
from rich.table import Table

from fmae_iat_plugin.action_units import au_name

from .frame_metric import FrameMetric, name_of
from .intensity_scores import KEYS, intensity_scores


@METRICS.register_module()
class ActionUnitIntensityMetric(FrameMetric):
    """ICC(3,1), Pearson's correlation, MSE and MAE per AU and on average, over all frames.

    Keys, where ``AU12`` stands for each of ``dataset_meta['intensity_aus']``; NaN = undefined:
    ``icc/mean``, ``icc/AU12``, ``pearson/mean``, ``pearson/AU12``, ``mse/mean``, ``mse/AU12``,
    ``mae/mean``, ``mae/AU12``, and ``intensity_coded/AU12``, the number of coded frames.

    Args:
        collect_device, prefix, collect_dir: See :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ValueError: For unusable predictions or labels (in :meth:`process`).
    """

    @property
    def classes(self) -> Tuple[str, ...]:
        """AU names in the order of the intensities; ValueError if the data set gives none."""
        aus = (self.dataset_meta or {}).get('intensity_aus')
        if not aus:
            raise ValueError('the data set gives no intensities. Remedy: set `intensities` of the '
                             'data set, such as intensities=(6, 12).')
        return tuple(map(au_name, aus))

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep ``pred_intensity`` and ``gt_intensity`` (K,) of each sample.

        Raises:
            ValueError: If one is absent, of a wrong length, or outside 0..5; names the sample.
        """
        number = len(self.classes)
        for sample in data_samples:
            values = []
            for key in ('pred_intensity', 'gt_intensity'):
                given = sample.get(key)
                if given is None:
                    raise ValueError(
                        f'{name_of(sample)} has no {key}. Remedy: model.intensity_head predicts '
                        "it, `intensities` of the data set and 'gt_intensity' in algorithm_keys "
                        'of PackInputs bring the label.')
                value = np.asarray(given.cpu() if hasattr(given, 'cpu') else given, np.float64)
                if value.shape != (number, ):
                    raise ValueError(f'{name_of(sample)}: {key} has shape {value.shape}, but the '
                                     f'data set has {number} AUs {self.classes}')
                bad = (value < 0) | (value > 5) | (np.isnan(value) & (key[:4] == 'pred'))
                if bad.any():
                    raise ValueError(f'{name_of(sample)}: {key} {value.tolist()} is not within '
                                     '0..5. Has the training diverged?')
                values.append(value)
            self.results.append((*self.identity(sample), *values))

    def compute_metrics(self, results: list) -> dict:
        """The dict of keys in the class's docstring, from one result per sample."""
        frames = self.frames(results)
        predicted, coded = (np.stack([frame[place] for frame in frames]) for place in (-2, -1))
        scores = intensity_scores(predicted, coded, self.classes)
        MMLogger.get_current_instance().info(_table(scores, self.classes, len(frames)))
        return {key: float(value) for key, value in scores.items()}


def _table(scores: dict, classes: Sequence[str], frames: int) -> str:
    """The scores as text, with one row per AU and one for the mean."""
    table = Table(box=box.ASCII)
    for header in ('AU', 'coded', 'ICC(3,1)', 'Pearson', 'MSE', 'MAE'):
        table.add_column(header, justify='left' if header == 'AU' else 'right')

    def number(key: str) -> str:
        return 'undefined' if np.isnan(scores[key]) else f'{scores[key]:.3f}'

    for name in classes:
        table.add_row(name, str(scores[f'intensity_coded/{name}']),
                      *(number(f'{key}/{name}') for key in KEYS))
    table.add_section()
    table.add_row('mean', '', *(number(f'{key}/mean') for key in KEYS))
    stream = StringIO()
    Console(file=stream, width=110).print(table)
    return f'Intensities of action units, {frames} frames\n{stream.getvalue().rstrip()}'
