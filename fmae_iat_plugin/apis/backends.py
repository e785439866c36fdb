# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What runs the model for the inferencer: PyTorch."""

from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from fmae_iat_plugin.models.checkpoint import find_weights, read_checkpoint


class TorchBackend:
    """The config's model without its adversary.

    Args:
        cfg: Config with ``model``.
        weights: Checkpoint, opened without running code from it. None: random weights.
        device: Defaults to the GPU if there is one.

    Attributes:
        outputs (int): Number of action units.
        aus (tuple, optional): Their numbers, where the checkpoint notes its training data's.
        threshold (float or list): Probability from which an action unit is present: the
            checkpoint's (``meta['thresholds']``, one each), else the head's ``thr`` (0.5).

    Raises:
        ValueError: If the weights do not fit.
    """

    def __init__(self, cfg: Config, weights: Optional[str] = None, device: Optional[str] = None):
        self.model = MODELS.build({**cfg.model, 'adversary': None, 'pretrained': None})
        self.outputs: int = self.model.head.num_classes
        self.threshold = getattr(self.model.head, 'thr', 0.5)
        self.aus: Optional[Tuple[int, ...]] = None
        if weights is not None:
            self._load(weights)
        self.device = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        self.model.to(self.device).eval()

    def _load(self, weights: str) -> None:
        content = read_checkpoint(weights)
        saved = {name: value for name, value in find_weights(content, weights).items()
                 if not name.startswith('adversary.')}
        own = self.model.state_dict()
        wrong = sorted(set(saved) ^ set(own)) + sorted(
            name for name in set(saved) & set(own) if saved[name].shape != own[name].shape)
        if wrong:
            raise ValueError(f'{weights} does not fit the model of the config: {len(wrong)} weights'
                             f' are missing, left over or of another shape ({", ".join(wrong[:4])})'
                             '. Remedy: the config it was trained with (its folder has a copy).')
        self.model.load_state_dict(saved)
        meta = content.get('meta') or {}
        aus = (meta.get('dataset_meta') or {}).get('aus')
        self.aus = None if aus is None else tuple(aus)
        self.threshold = meta.get('thresholds', self.threshold)

    def __call__(self, packed: Sequence[dict]) -> np.ndarray:
        """Probabilities ``[n, C]`` of what the test pipeline packed (uint8 ``[3, H, W]`` BGR)."""
        data = {key: [entry[key] for entry in packed] for key in ('inputs', 'data_samples')}
        with torch.no_grad():
            samples = self.model.test_step(data)
        return np.stack([sample.pred_score.cpu().numpy() for sample in samples])
