# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What FSDP refuses; tests/test_parity/test_sharded.py trains with it."""

import pytest

from fmae_iat_plugin.engine import WholeFSDPStrategy


def test_one_process_without_a_launcher_is_told_of_it():
    with pytest.raises(ValueError, match='one without a group. Remedy: tools/dist_train.sh'):
        WholeFSDPStrategy().build_model(dict(type='TinyModel'))


def test_clipping_by_the_norm_of_a_share_is_refused():
    wrapper = dict(optimizer=dict(type='AdamW', lr=1), clip_grad=dict(max_norm=1))
    with pytest.raises(ValueError, match='clip_grad=None, or DDP'):
        WholeFSDPStrategy().build_optim_wrapper(wrapper)
