# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What metrics over frames share: each frame counts once, on any number of ranks."""

import sys
from typing import Any, List, Optional, Tuple

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger


class FrameMetric(BaseMetric):
    """A metric whose results begin with :meth:`identity`.

    Each frame counts once, however the sampler spreads and pads the frames over ranks: results
    that share ``sample_idx`` and ``img_path`` are one frame, and the first is kept. (Both are
    needed: the parts of a ``ConcatDataset`` each number their frames from 0.) Where a sample has
    no ``sample_idx``, mmengine's rule applies: what exceeds the dataset's length is cut off.
    """

    default_prefix = None
    _size: Optional[int] = None

    @staticmethod
    def identity(sample: Any) -> Tuple[int, int, str]:
        """``sample_idx`` and ``subject``, -1 = unknown; ``img_path``."""
        index, subject = sample.get('sample_idx'), sample.get('subject')
        return (-1 if index is None else int(index), -1 if subject is None else int(subject),
                str(sample.get('img_path') or ''))

    def evaluate(self, size: int) -> dict:
        """Gather from all ranks and compute; see :meth:`BaseMetric.evaluate`.

        Args:
            size: Number of frames in the whole dataset. The gathered results are not cut to it
                before repeated frames are removed, or frames of a rank would be lost.
        """
        self._size = size
        return super().evaluate(sys.maxsize)

    def frames(self, results: List[tuple]) -> List[tuple]:
        """One result for each frame, in order.

        Raises:
            ValueError: If there is none.
        """
        logger = MMLogger.get_current_instance()
        kept: dict = {}
        for position, result in enumerate(results):
            kept.setdefault((position, ) if result[0] < 0 else (result[0], result[2]), result)
        frames = list(kept.values())
        if any(result[0] < 0 for result in frames):
            frames = frames[:self._size]
        if not frames:
            raise ValueError(f'nothing to evaluate: no prediction reached {type(self).__name__}; '
                             'is the test dataset empty?')
        if len(results) > len(frames):
            logger.info(f'{len(results) - len(frames)} repeated results (padding of the ranks) '
                        'are not counted.')
        if self._size is not None and len(frames) != self._size:
            logger.warning(f'{len(frames)} frames are evaluated, but the dataset has '
                           f'{self._size}.')
        return frames


def name_of(sample: Any) -> str:
    """The name of a sample in an error."""
    return f'sample {sample.get("sample_idx")} ({sample.get("img_path") or "no img_path"})'
