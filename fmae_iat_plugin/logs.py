# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Where the package says things: MMEngine's logger, or the standard one where that is not used.

A prediction by ONNX Runtime imports neither PyTorch nor MMEngine; see :mod:`.stack`.
"""

import logging
import sys

_FORM = '%(asctime)s - %(name)s - %(levelname)s - %(message)s'


def logger() -> logging.Logger:
    """MMEngine's current logger if MMEngine was imported, else one that writes to stderr."""
    if 'mmengine' in sys.modules:
        from mmengine.logging import MMLogger
        return MMLogger.get_current_instance()
    own = logging.getLogger('fmae_iat_plugin')
    if not own.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(_FORM, '%m/%d %H:%M:%S'))
        own.addHandler(handler)
        own.setLevel(logging.INFO)
    return own


def is_main_process() -> bool:
    """Whether this is rank 0 of a distributed job, or there is none."""
    if 'mmengine' in sys.modules:
        from mmengine.dist import is_main_process as first
        return first()
    return True
