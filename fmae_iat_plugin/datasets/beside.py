# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What lies beside a data set for tasks without labels: landmarks and optical flow."""

import os
from typing import List, Optional, Sequence

import pandas as pd
from mmengine.logging import MMLogger

from .flow_targets import read_flow_index
from .landmarks import IN_TABLE, parse_landmarks, read_landmarks


class Beside:
    """Adds landmarks and flow targets to samples.

    Args:
        landmarks (str, optional): File of landmarks, or ``'table'``.
        flow (str, optional): Folder of optical flow.
        data_root (str): Both are relative to it.
    """

    def __init__(self, landmarks: Optional[str], flow: Optional[str], data_root: str):
        self.in_table = landmarks == IN_TABLE
        self.landmarks, self.flow = (
            None if name is None else os.path.expanduser(os.path.join(data_root, name))
            for name in (landmarks, flow))

    def add(self, samples: List[dict], images: Sequence[str],
            table: Optional[pd.DataFrame] = None, path: str = '') -> dict:
        """Extend the samples.

        Args:
            samples: N samples, changed in place.
            images: Their names in the files beside.
            table, path: The table with all its columns, for landmarks in it, and its file.

        Returns:
            dict: For ``metainfo``: ``mean_shape``, 68 pairs, where there are landmarks.

        Raises:
            FileNotFoundError, AnnotationError: If a file is missing or unusable.
            ValueError: If the flow belongs to none of the images.
        """
        meta, logger = {}, MMLogger.get_current_instance()
        if self.landmarks is not None:
            known = parse_landmarks(table, path) if self.in_table else \
                read_landmarks(self.landmarks)
            for sample, image in zip(samples, images):
                sample['landmarks'] = known.of(image)
            missing = sum(image not in known.points for image in images)
            logger.info('%s: %d of %d faces have landmarks; %d take the mean shape.', known.path,
                        len(samples) - missing, len(samples), missing)
            meta['mean_shape'] = tuple(map(tuple, known.mean_shape.tolist()))
        if self.flow is not None:
            targets = read_flow_index(self.flow)
            found = 0
            for sample, image in zip(samples, images):
                if image in targets:
                    sample['flow_target'] = tuple(targets[image])
                    found += 1
            if not found:
                raise ValueError(f'{self.flow}: the flow of none of {len(samples)} images, first '
                                 f'{images[0]!r}. Remedy: compute it from the same table (python '
                                 'tools/misc/compute_flow.py).')
            logger.info('%s: %d of %d faces have a flow target; the others are left out of that '
                        'loss.', self.flow, found, len(samples))
        return meta
