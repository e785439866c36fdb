# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What lies beside a data set for tasks without labels: landmarks and optical flow."""

import os
from typing import Iterable, List, Optional, Sequence

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
        self.known, self.targets = None, None

    def add(self, samples: List[dict], images: Sequence[str],
            table: Optional[pd.DataFrame] = None, path: str = '') -> dict:
        """Extend the samples.

        Args:
            samples: N samples, changed in place.
            images: Their names in the files beside.
            table, path: As of :meth:`read`, whose result is returned.
        """
        meta = self.read(images, table, path)
        for sample, image in zip(samples, images):
            sample.update(self.of(image))
        return meta

    def read(self, images: Iterable[str], table: Optional[pd.DataFrame] = None,
             path: str = '') -> dict:
        """Read what lies beside, for :meth:`of`.

        Args:
            images: Names of the N images in the files beside; not looked at where there are none.
            table, path: The table with all its columns, for landmarks in it, and its file.

        Returns:
            dict: For ``metainfo``: ``mean_shape``, 68 pairs, where there are landmarks.

        Raises:
            FileNotFoundError, AnnotationError: If a file is missing or unusable.
            ValueError: If the flow belongs to none of the images.
        """
        meta, logger = {}, MMLogger.get_current_instance()
        if self.landmarks is not None:
            self.known = known = parse_landmarks(table, path) if self.in_table else \
                read_landmarks(self.landmarks)
            meta['mean_shape'] = tuple(map(tuple, known.mean_shape.tolist()))
        if self.flow is not None:
            self.targets = read_flow_index(self.flow)
        if self.known is None and self.targets is None:
            return meta
        count, missing, found, first = 0, 0, 0, None
        for image in images:
            count += 1
            first = image if first is None else first
            missing += self.known is not None and image not in self.known.points
            found += self.targets is not None and image in self.targets
        if self.known is not None:
            logger.info('%s: %d of %d faces have landmarks; %d take the mean shape.',
                        self.known.path, count - missing, count, missing)
        if self.targets is not None:
            if not found:
                raise ValueError(f'{self.flow}: the flow of none of {count} images, first '
                                 f'{first!r}. Remedy: compute it from the same table (python '
                                 'tools/misc/compute_flow.py).')
            logger.info('%s: %d of %d faces have a flow target; the others are left out of that '
                        'loss.', self.flow, found, count)
        return meta

    def of(self, image: str) -> dict:
        """``landmarks`` and ``flow_target`` of an image, as far as there are any."""
        found: dict = {}
        if self.known is not None:
            found['landmarks'] = self.known.of(image)
        if self.targets is not None and image in self.targets:
            found['flow_target'] = tuple(self.targets[image])
        return found
