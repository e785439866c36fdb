# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The test pipeline without mmcv is mmcv's, bit for bit."""

import numpy as np
import pytest

from fmae_iat_plugin.inference.recipe import ArrayPipeline
from fmae_iat_plugin.inference.torch_backend import mmcv_pipeline

PACK = dict(type='PackInputs', algorithm_keys=('subject', ))
RESIZES = [dict(scale=(20, 30), interpolation='bilinear', backend='pillow'),
           dict(scale=24, interpolation='bicubic', backend='pillow'),
           dict(scale=(64, 64)), dict(scale=(17, 17), interpolation='area')]


@pytest.mark.parametrize('options', RESIZES, ids=str)
def test_it_equals_mmcv(options):
    steps = [dict(type='Resize', **options), PACK]
    assert ArrayPipeline.fits(steps)
    rng = np.random.default_rng(0)
    for shape in ((48, 48, 3), (31, 57, 3)):
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        truth = mmcv_pipeline(steps)(dict(img=image.copy()))['inputs'].numpy()
        np.testing.assert_array_equal(ArrayPipeline(steps)(dict(img=image))['inputs'], truth)


def test_packing_alone():
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    packed = ArrayPipeline([PACK])(dict(img=image))['inputs']
    assert packed.flags.c_contiguous
    assert all(packed[c, y, x] == image[y, x, c] for c in range(3) for y in range(4)
               for x in range(5))


@pytest.mark.parametrize('step', [
    dict(type='Resize', scale=(20, 20), keep_ratio=True), dict(type='CenterCrop', crop_size=8),
    dict(type='Resize', scale_factor=2.), dict(type='Resize', scale=20, interpolation='area',
                                               backend='pillow'),
    dict(type='Resize', scale=20, backend='tifffile')])
def test_other_steps_are_left_to_mmcv(step):
    assert not ArrayPipeline.fits([step, PACK])
