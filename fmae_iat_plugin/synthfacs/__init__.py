# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""SynthFACS: rendered people with exact action units, identity, landmarks and optical flow.

``renderer`` draws one face, :class:`Population` decides who shows what, :class:`SynthFACS` is the
data set, and ``releases`` writes such faces in the layouts of the licensed data sets.
"""

import fmae_iat_plugin.full  # noqa: F401  these rooms need the stack

from .dataset import SynthFACS, read_population, write_synthfacs
from .population import Population
from .renderer import (
    AUS,
    FRAMINGS,
    Camera,
    Flow,
    Identity,
    Light,
    Pose,
    flow,
    render,
    sample_identity,
    warp_back,
)

__all__ = [
    'AUS', 'FRAMINGS', 'Camera', 'Flow', 'Identity', 'Light', 'Population', 'Pose', 'SynthFACS',
    'flow', 'read_population', 'render', 'sample_identity', 'warp_back', 'write_synthfacs'
]
