# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Print F1@0.5 per AU over the pooled test folds of one experiment and seed.

Beside it the mean AUC, and the mean F1 of calling every AU present, which needs no model.
"""

import argparse

import numpy as np

from fmae_iat_plugin.evaluation.predictions import pool_predictions
from fmae_iat_plugin.evaluation.scores import action_unit_scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('predictions', nargs='+',
                        help='one .npz per fold, the out_file of ActionUnitMetric')
    parser.add_argument('--name', default='pooled', help='name of the row')
    args = parser.parse_args()
    pooled = pool_predictions(args.predictions)
    scores = action_unit_scores(pooled.scores, pooled.labels, pooled.classes)
    present = action_unit_scores(np.ones_like(pooled.scores), pooled.labels, pooled.classes)
    print(f'{args.name:<24} {len(pooled.scores)} faces  F1@0.5 {scores["f1/mean"]:5.1f}  '
          + '  '.join(f'{name} {scores[f"f1/{name}"]:.1f}' for name in pooled.classes)
          + f'  AUC {scores["auc/mean"]:5.1f}  (all present: F1 {present["f1/mean"]:.1f})')


if __name__ == '__main__':
    main()
