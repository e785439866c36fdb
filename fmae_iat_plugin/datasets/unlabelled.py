# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Unlabelled faces that join a data set with action units, for tasks that need no labels.

Two ways: rows of an annotation table whose AU cells are all empty, which need nothing further, and
this class, for a folder or list of images without a table.
"""

from typing import Optional, Sequence

import numpy as np
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.action_units import parse_au

from .beside import Beside
from .face9m import Face9M


@DATASETS.register_module()
class UnlabelledFaces(Face9M):
    """Images from folders, lists or shards, whose action units are all "not coded".

    A sample is ``dict(img_path=str, gt_score=float32 [A] of NaN)``. In a config::

        train_dataloader = dict(dataset=dict(
            type='ConcatDataset', ignore_keys=['classes', 'aus', 'subjects', 'mean_shape'],
            datasets=[dict(type='BP4D', ...), dict(type='UnlabelledFaces', aus=aus, ...)]))

    Args:
        aus (Sequence[int]): The action units of the labelled set, for the length of ``gt_score``.
        landmarks, flow: As in :class:`~fmae_iat_plugin.datasets.ActionUnitDataset`; an image is
            named as below its source.
        data_root, ann_file, exclude, **kwargs: Arguments of
            :class:`~fmae_iat_plugin.datasets.Face9M`.

    Raises:
        FileNotFoundError, ValueError: If a source does not exist or holds no image.
    """

    def __init__(self, data_root='', *, aus: Sequence[int], landmarks: Optional[str] = None,
                 flow: Optional[str] = None, **kwargs):
        self.aus = tuple(parse_au(au) for au in aus)
        self.beside = Beside(landmarks, flow, data_root if isinstance(data_root, str) else '')
        super().__init__(data_root, **kwargs)

    def full_init(self) -> None:
        """Find the images, and what lies beside them."""
        if self._fully_initialized:
            return
        super().full_init()
        self._metainfo.update(self.beside.read(record.name for record in self.records))

    def get_data_info(self, idx: int) -> dict:
        """Sample ``idx``."""
        info = super().get_data_info(idx)
        return dict(info, **self.beside.of(self.records[idx].name),
                    gt_score=np.full(len(self.aus), np.nan, np.float32))
