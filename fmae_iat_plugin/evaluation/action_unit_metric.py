# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""ActionUnitMetric: MMPretrain's evaluation of action units, honest numbers beside the paper's.

The definitions (what F1 is, when it is undefined, the paper's threshold) are in :mod:`.scores`.
This file carries predictions from the model to them, over any number of ranks.
"""
import os
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from mmpretrain.registry import METRICS
from rich import box
from rich.console import Console
from rich.table import Table

from fmae_iat_plugin.files import whole_named_file

from .frame_metric import FrameMetric, name_of
from .scores import action_unit_scores, resolve_thresholds


@METRICS.register_module()
class ActionUnitMetric(FrameMetric):
    """F1, AUC and accuracy per AU and on average, pooled over all frames.

    Keys, where ``AU12`` stands for each name in ``dataset_meta['classes']``; F1, AUC and accuracy
    are in percent (0..100), NaN = undefined:

    - ``f1/mean``, ``f1/AU12``: at threshold 0.5.
    - ``f1_tuned/mean``, ``f1_tuned/AU12``: at ``thresholds``, if given.
    - ``paper/f1``, ``paper/AU12``, ``paper/threshold``: at the one threshold that is best on the
      evaluated frames themselves. Only for comparison with published numbers.
    - ``auc/mean``, ``auc/AU12``; ``accuracy/mean``, ``accuracy/AU12`` (at 0.5).
    - ``positive/AU12``, ``negative/AU12``, ``missing/AU12``: numbers of frames.
    - ``undefined``: the number of AUs whose F1 is undefined, so not in ``f1/mean``.

    Each frame counts once, see :class:`~.frame_metric.FrameMetric`.

    ``CheckpointHook(save_best='paper/f1', rule='greater')`` keeps the best test epoch, as the
    paper did; mmengine cannot infer the rule from this key.

    Args:
        thresholds: For ``f1_tuned``: a number, one per AU in the order of the classes, or a dict
            from AU name to number; tuned on held-out *training* subjects, for example by
            :func:`~.scores.best_thresholds`. Defaults to None.
        paper_missing: ``'masked'`` leaves cells that are not coded out everywhere;
            ``'negative'`` counts them as inactive in ``paper/*``, as the released code did.
        out_file: ``.npz`` file for all scores, written anew at each evaluation, with the arrays
            ``scores``, ``labels`` ``[N, C]`` (float32, NaN = not coded), ``sample_idx``,
            ``subject`` ``[N]`` (int64, -1 = unknown), ``img_path`` ``[N]``, ``classes``,
            ``thresholds`` ``[C]`` (NaN if none), ``paper_missing`` and, if the dataset names
            them, ``subjects``. :func:`~.scores.action_unit_scores` recomputes every number.
        collect_device: ``'cpu'`` or ``'gpu'``, how ranks exchange results.
        prefix: Put before every key. Defaults to None: the keys above.
        collect_dir: Folder shared by the ranks for ``collect_device='cpu'``.

    Raises:
        ValueError: For unusable arguments (here) or predictions (in :meth:`process`).
    """
    def __init__(self,
                 thresholds: float | Sequence[float] | Mapping[str, float] | None = None,
                 paper_missing: str = 'masked',
                 out_file: str | os.PathLike | None = None,
                 collect_device: str = 'cpu',
                 prefix: str | None = None,
                 collect_dir: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if paper_missing not in ('masked', 'negative'):
            raise ValueError("paper_missing must be 'masked' or 'negative', got "
                             f'{paper_missing!r}')
        if out_file is not None and Path(out_file).suffix != '.npz':
            raise ValueError(f'out_file must end with .npz, got {str(out_file)!r}')
        self.thresholds = thresholds
        self.paper_missing = paper_missing
        self.out_file = out_file

    @property
    def classes(self) -> tuple[str, ...]:
        """AU names in the order of the scores; ValueError if the dataset gives none."""
        classes = (self.dataset_meta or {}).get('classes')
        if not classes:
            raise ValueError('the dataset has no AU names: set METAINFO (or metainfo=) '
                             "dict(classes=('AU1', 'AU2', ...))")
        return tuple(classes)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep ``pred_score`` and ``gt_score`` (C,) of each sample, one result per sample.

        Raises:
            ValueError: If the scores of a sample are absent, of a wrong length, or not
                probabilities (NaN included), or if its labels are not 0, 1 or NaN; the message
                names the sample. Also if ``thresholds`` do not fit the AUs.
        """
        num_aus = len(self.classes)
        if not self.results and self.thresholds is not None:  # before a long evaluation
            resolve_thresholds(self.thresholds, self.classes)
        for sample in data_samples:
            for key in ('pred_score', 'gt_score'):
                if sample.get(key) is None:
                    raise ValueError(f'{name_of(sample)} has no {key}')
                if tuple(sample.get(key).shape) != (num_aus, ):
                    raise ValueError(f'{name_of(sample)}: {key} has shape '
                                     f'{tuple(sample.get(key).shape)}, but the dataset has '
                                     f'{num_aus} AUs {self.classes}')
        if len(data_samples) == 0:
            return
        scores, labels = (_batch(data_samples, key) for key in ('pred_score', 'gt_score'))
        for sample, score, label in zip(data_samples, scores, labels):
            if not ((score >= 0) & (score <= 1)).all():
                raise ValueError(f'{name_of(sample)}: predicted scores {score.tolist()} are not '
                                 'probabilities in [0, 1]. Has the training diverged, or does the '
                                 'head return logits?')
            if not ((label == 0) | (label == 1) | np.isnan(label)).all():
                raise ValueError(f'{name_of(sample)}: labels {label.tolist()} must be 0, 1 or NaN '
                                 '(not coded); binarise intensities in the dataset')
            self.results.append((*self.identity(sample), score, label))

    def compute_metrics(self, results: list) -> dict:
        """The dict of keys in the class's docstring, from one result per sample."""
        logger = MMLogger.get_current_instance()
        frames = self.frames(results)
        scores = np.stack([result[3] for result in frames])
        labels = np.stack([result[4] for result in frames])
        if self.out_file is not None:
            self._write(frames, scores, labels)
            logger.info(f'Scores and labels of {len(frames)} frames: {self.out_file}')
        metrics = action_unit_scores(scores, labels, self.classes, self.thresholds,
                                     self.paper_missing)
        logger.info(_table(metrics, self.classes, len(frames)))
        # MMEngine hands integers on as numpy integers, which its JSON log drops
        return {key: float(value) for key, value in metrics.items()}

    def _write(self, frames: list[tuple], scores: np.ndarray, labels: np.ndarray) -> None:
        """Write ``out_file`` under another name first, so that no reader sees half of it."""
        classes = self.classes
        arrays = dict(
            scores=scores,
            labels=labels,
            sample_idx=np.array([frame[0] for frame in frames], dtype=np.int64),
            subject=np.array([frame[1] for frame in frames], dtype=np.int64),
            img_path=np.array([frame[2] for frame in frames], dtype=np.str_),
            classes=np.array(classes, dtype=np.str_),
            thresholds=(np.full(len(classes), np.nan) if self.thresholds is None else
                        resolve_thresholds(self.thresholds, classes)),
            paper_missing=np.array(self.paper_missing))
        if self.dataset_meta.get('subjects'):
            arrays['subjects'] = np.array(self.dataset_meta['subjects'], dtype=np.str_)
        with whole_named_file(self.out_file) as partial:  # NumPy looks at the suffix
            np.savez_compressed(partial, **arrays)


def _batch(samples: Sequence[Any], key: str) -> np.ndarray:
    """``[B, C]`` float32, with one transfer from the device per batch instead of per sample."""
    return torch.stack([sample.get(key) for sample in samples]).detach().float().cpu().numpy()


def _table(metrics: dict, classes: Sequence[str], num_frames: int) -> str:
    """The metrics as text, with one row per AU and one for the mean."""
    columns = {'F1@0.5': 'f1', 'F1 tuned': 'f1_tuned', 'paper F1': 'paper', 'AUC': 'auc',
               'accuracy': 'accuracy'}
    if 'f1_tuned/mean' not in metrics:
        del columns['F1 tuned']
    counts = ('positive', 'negative', 'missing')
    table = Table(box=box.ASCII)
    for header in ('AU', *counts, *columns):
        table.add_column(header, justify='left' if header == 'AU' else 'right')

    def percent(key: str) -> str:
        return 'undefined' if np.isnan(metrics[key]) else f'{metrics[key]:.1f}'

    for name in classes:
        table.add_row(name, *(str(metrics[f'{count}/{name}']) for count in counts),
                      *(percent(f'{key}/{name}') for key in columns.values()))
    table.add_section()
    table.add_row('mean', '', '', '', *(
        percent('paper/f1' if key == 'paper' else f'{key}/mean') for key in columns.values()))
    stream = StringIO()
    Console(file=stream, width=110).print(table)
    return (f'Action units, {num_frames} frames, in percent; paper F1 at one threshold '
            f'({metrics["paper/threshold"]:.2f}) chosen on these frames; F1 undefined for '
            f'{metrics["undefined"]} AU(s)\n{stream.getvalue().rstrip()}')
