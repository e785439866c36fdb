# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the paper reports beside its F1 tables: lambda, identity heads, sizes, probe, expressions.

All numbers are in the paper's mode: the best epoch, and for F1 one threshold, are chosen on the
test fold.
"""

import json
from typing import Any, Dict, NamedTuple, Union

from .comparison import PUBLISHED

Key = Union[float, str]
Column = Dict[Key, float]


class PublishedAblation(NamedTuple):
    """One published table or figure.

    Attributes:
        values (dict): Key -> F1 or accuracy in percent; or group -> such a dict.
        source (str): Paper, table, data set.
        best_epoch (dict[Key, int]): Epoch of ``values``, counted from 1; {} = not published.
        id_loss (dict[Key, float]): Identity loss (binary cross entropy); {} = not published.
    """

    values: Dict[Key, Any]
    source: str
    best_epoch: Dict[Key, int] = {}
    id_loss: Column = {}


def published_ablation(name: str) -> PublishedAblation:
    """Return a published ablation by its name.

    ================  ==========================================  =======================
    name              values                                      further
    ================  ==========================================  =======================
    lambda            F1 by lambda: ``{0: 68.33, 0.02: ...}``     ``best_epoch``
    lambda_data_sets  data set -> F1 by lambda                    -
    head              F1 by layers of the identity head           ``best_epoch, id_loss``
    size              pretraining -> F1 by ``'ViT-S'``, ...       -
    probe             accuracy of ``'FMAE'``, ``'FMAE-IAT'``      -
    expressions       accuracy on ``'RAF-DB'``, ``'AffectNet-8'``  -
    ================  ==========================================  =======================

    Raises:
        ValueError: If the name is another.
    """
    content = json.loads((PUBLISHED / 'fmae_iat.json').read_text(encoding='utf-8'))
    tables = content['ablations']
    if name not in tables:
        raise ValueError(f'there is no published ablation {name!r}. Remedy: choose one of '
                         f'{", ".join(tables)}.')
    table = tables[name]

    def column(part: dict, key: str) -> Column:
        if key not in part:
            return {}
        return dict(zip(part.get('keys') or table['keys'], part[key], strict=True))

    if 'groups' in table:
        values = {group: column(part, 'f1') for group, part in table['groups'].items()}
    else:
        values = column(table, 'f1') or column(table, 'accuracy')
    return PublishedAblation(values, f'{content["source"]}: {table["where"]}',
                             column(table, 'best_epoch'), column(table, 'id_loss'))
