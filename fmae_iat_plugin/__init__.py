# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""FMAE-IAT for MMPretrain: facial action units that do not depend on who the person is.

Importing the package checks the stack, then imports the rooms, so that their components register
into MMPretrain's own registries: ``custom_imports = dict(imports=['fmae_iat_plugin'])`` in a
config is all that is needed. The names of the model zoo become known to ``mmpretrain.get_model``,
and MMEngine reads checkpoints without running what is in them.

Where PyTorch or MMEngine is not installed, nothing of this happens, and exported models can be
run; see :mod:`fmae_iat_plugin.stack`.
"""

from .stack import check_stack, import_quietly, is_light, on_demand
from .version import __version__

__all__ = ['__version__', 'config_path', 'datasets', 'engine', 'evaluation', 'models', 'synthfacs']

if is_light():
    from .weights.zoo_index import config_path

    __getattr__ = on_demand(__name__)
else:
    check_stack()
    import_quietly()

    from . import datasets, engine, evaluation, models, synthfacs
    from .weights.guard import register_guard
    from .weights.model_zoo import offer_zoo
    from .weights.zoo_index import config_path

    register_guard()
    offer_zoo()
