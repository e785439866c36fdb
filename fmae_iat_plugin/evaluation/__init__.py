# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Evaluation: what is measured on action units, and what a config uses for expressions.

Action units (``val_evaluator = test_evaluator = dict(type='ActionUnitMetric')``): see
:class:`ActionUnitMetric` for the keys and :mod:`.scores` for the definitions. Intensities: see
:class:`ActionUnitIntensityMetric` and :mod:`.intensity_scores`.

Expressions (RAF-DB, AffectNet) are single-label, and MMPretrain measures them already; the mean
over classes of the recall *is* the mean-class accuracy, and each class's recall its accuracy::

    val_evaluator = [
        dict(type='Accuracy', topk=1),                      # accuracy/top1
        dict(type='SingleLabelMetric', items=('recall', )),                  # single-label/recall
        dict(type='SingleLabelMetric', items=('recall', ), average=None),
        # single-label/recall_classwise: a list in the order of the dataset's METAINFO['classes']
    ]

All are in percent. A class without a test image counts as 0 in ``single-label/recall``.
``save_best='accuracy/top1'`` selects the best test epoch, as the published numbers do.
"""

from fmae_iat_plugin.stack import is_light, on_demand

__all__ = [
    'PAPER_THRESHOLDS', 'ActionUnitIntensityMetric', 'ActionUnitMetric', 'Counts', 'Features',
    'ProbeResult', 'accuracy_from_counts', 'action_unit_scores', 'best_shared_threshold',
    'best_thresholds', 'bootstrap', 'bootstrap_mean', 'draw_frames', 'extract_features',
    'f1_difference', 'f1_from_counts', 'f1_interval', 'identity_probe', 'intensity_scores',
    'mean_f1', 'paper_f1', 'resolve_thresholds', 'roc_auc', 'split_frames', 'subject_counts',
    'threshold_counts'
]

if is_light():
    __getattr__ = on_demand(__name__)
else:
    from .action_unit_intensity_metric import ActionUnitIntensityMetric
    from .action_unit_metric import ActionUnitMetric
    from .features import Features, draw_frames, extract_features
    from .identity_probe import ProbeResult, identity_probe, split_frames
    from .intensity_scores import intensity_scores
    from .intervals import (
        bootstrap,
        bootstrap_mean,
        f1_difference,
        f1_interval,
        mean_f1,
        subject_counts,
    )
    from .scores import (
        PAPER_THRESHOLDS,
        Counts,
        accuracy_from_counts,
        action_unit_scores,
        best_shared_threshold,
        best_thresholds,
        f1_from_counts,
        paper_f1,
        resolve_thresholds,
        roc_auc,
        threshold_counts,
    )
