# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""FMAE-IAT for MMPretrain: facial action units that do not depend on who the person is.

Importing the package checks the stack, then imports the rooms, so that their components register
into MMPretrain's own registries: ``custom_imports = dict(imports=['fmae_iat_plugin'])`` in a
config is all that is needed. The names of the model zoo become known to ``mmpretrain.get_model``,
and MMEngine reads checkpoints without running what is in them.
"""

from .stack import check_stack, import_quietly
from .version import __version__

check_stack()
import_quietly()

from . import datasets, engine, evaluation, models, synthfacs  # noqa: E402
from .weights.guard import register_guard  # noqa: E402
from .weights.model_zoo import offer_zoo  # noqa: E402

register_guard()
offer_zoo()

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'synthfacs']
