# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How a detector is chosen, what of it is recorded, and which arguments do not go together."""

import sys
from unittest.mock import patch

import pytest

from fmae_iat_plugin.faces import CropError, DetectorSpec, build_detector


@pytest.mark.parametrize('options,words', [
    (dict(detector='yolo'), "'yolo' is neither dlib nor an mmdet config"),
    (dict(detector='x.py'), 'x.py needs weights'),
    (dict(detector='x.py', checkpoint='x.pth', upsample=1), 'upsample is an option of dlib'),
    (dict(detector='x.py', checkpoint='x.pth', batch_size=0), 'batch size 0'),
    (dict(detector='x.py', checkpoint='x.pth'), 'config x.py does not exist'),
    (dict(checkpoint='x.pth'), "checkpoint 'x.pth' was given, but dlib has none"),
    (dict(label='face'), "label 'face' was given"), (dict(upsample=9), 'upsample is 9')])
def test_arguments_that_do_not_go_together(options, words):
    with pytest.raises(CropError, match=words):
        build_detector(**options)


def test_a_detector_is_built_once():
    pytest.importorskip('dlib', reason="pip install 'fmae_iat_plugin[face]'")
    assert build_detector('dlib') is DetectorSpec().build()


def test_the_record_knows_files_by_content_and_no_devices(tmp_path):
    config, weights = tmp_path / 'x.py', tmp_path / 'x.pth'
    config.write_text('model = 1\n')
    weights.write_bytes(b'1')
    spec = DetectorSpec(str(config), str(weights), device='cuda:1')
    record = spec.record()
    assert record == spec._replace(device='cpu', batch_size=99).record()
    weights.write_bytes(b'2')
    changed = spec.record()
    assert [name for name in record if record[name] != changed[name]] == ['checkpoint_sha256']


def test_without_mmdet_the_error_names_the_build(tmp_path):
    config, weights = tmp_path / 'x.py', tmp_path / 'x.pth'
    config.touch()
    weights.touch()
    with patch.dict(sys.modules, {'mmcv.ops': None}), \
            pytest.raises(CropError, match='bash tools/misc/build_mmcv_ops.sh'):
        build_detector(str(config), checkpoint=str(weights))
