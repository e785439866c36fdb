# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""An mmdet model as a face detector: the chosen class, batches, safe weights, clear errors."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict

from fmae_iat_plugin.faces import CropError, build_detector
from fmae_iat_plugin.faces.mmdet_detector import _choose_class, _num_classes, import_mmdet

pytestmark = pytest.mark.slow

COCO = ('person', 'bicycle', 'car')


@pytest.mark.parametrize('label,names,number,chosen', [
    (None, ('face', ), 1, 0), (None, COCO, 1, 0),  # one class, whatever the data set calls it
    (None, ('person', 'face'), 2, 1), ('bicycle', COCO, 3, 1), (2, COCO, 3, 2), ('2', COCO, 3, 2),
    (4, COCO, 80, 4)])
def test_which_class_is_the_face(label, names, number, chosen):
    assert _choose_class(label, names, number, 'x.py') == chosen


@pytest.mark.parametrize('label,names,number,words', [
    (None, COCO, 3, r'x.py has 3 classes \(person, bicycle, car\): which class are the faces'),
    ('face', COCO, 3, "no class 'face'"), (3, COCO, 3, 'no class 3.*0 to 2'),
    ('person', COCO, 80, 'no names in its data set'), (-1, COCO, 3, 'no class -1')])
def test_an_unknown_class_is_an_error_that_lists_them(label, names, number, words):
    with pytest.raises(CropError, match=words):
        _choose_class(label, names, number, 'x.py')


def test_the_number_of_classes_is_the_box_heads():
    one = dict(bbox_head=dict(type='RTMDetSepBNHead', num_classes=7), neck=dict(num_classes=3))
    two = dict(rpn_head=dict(num_classes=1), backbone=dict(num_classes=1000),
               roi_head=dict(bbox_head=[dict(num_classes=5), dict(num_classes=5)]))
    assert _num_classes(ConfigDict(one)) == 7 and _num_classes(ConfigDict(two)) == 5
    assert _num_classes(ConfigDict(backbone=dict(num_classes=9))) == 0


CONFIG = '''
_base_ = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'
classes = {classes}
model = dict(backbone=dict(init_cfg=None), bbox_head=dict(num_classes={number}),
             test_cfg=dict(score_thr=0., max_per_img=20))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(160, 160), keep_ratio=True),
    dict(type='Pad', size=(160, 160), pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                                          'scale_factor'))]
test_dataloader = dict(dataset=dict(metainfo=dict(classes=classes), pipeline=test_pipeline))
'''


@pytest.fixture(scope='module')
def model_files(tmp_path_factory):
    """An untrained RTMDet-tiny of two classes, its config and checkpoint."""
    try:
        models, _, _ = import_mmdet()
    except CropError as missing:
        pytest.skip(str(missing))
    from mmengine.registry import DefaultScope
    folder = tmp_path_factory.mktemp('mmdet')
    config = folder / 'two.py'
    config.write_text(CONFIG.format(classes=('cat', 'face'), number=2))
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = models.build(cfg.model)
    model.init_weights()
    for name, value in model.state_dict().items():
        if 'rtm_cls' in name:  # scores that differ from place to place
            value.normal_(0, .3)
    checkpoint = folder / 'two.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=1)), checkpoint)
    return config, checkpoint


@pytest.fixture(scope='module')
def pictures():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, shape, dtype=np.uint8)
            for shape in ((120, 160, 3), (200, 90, 3), (64, 64, 3))]


def test_boxes_are_mmdets_own_of_the_chosen_class(model_files, pictures):
    from mmdet.apis import inference_detector, init_detector
    from mmengine.registry import DefaultScope
    config, checkpoint = map(str, model_files)
    with DefaultScope.overwrite_default_scope('mmdet'):  # init_detector leaves its own behind
        reference = init_detector(config, checkpoint, palette='random', device='cpu')
        expected = inference_detector(reference, pictures)
    found = {label: build_detector(config, checkpoint=checkpoint, label=label, threshold=0.,
                                   batch_size=2)(pictures) for label in ('face', 'cat')}
    for place, sample in enumerate(expected):
        instances, total = sample.pred_instances, 0
        for index, label in enumerate(('cat', 'face')):
            own, keep = found[label][place], instances.labels == index
            order = instances.scores[keep].argsort(descending=True, stable=True)
            np.testing.assert_allclose(own.boxes, instances.bboxes[keep][order], atol=.05)
            np.testing.assert_allclose(own.scores, instances.scores[keep][order], atol=1e-4)
            total += len(own.scores)
        assert total == len(instances) > 0


def test_the_threshold_and_the_default_class(model_files, pictures):
    config, checkpoint = map(str, model_files)
    all_boxes = build_detector(config, checkpoint=checkpoint, threshold=0.)(pictures)[0]
    assert all_boxes.boxes.dtype == np.float32 and len(all_boxes.scores) > 2
    middle = float(np.sort(all_boxes.scores)[len(all_boxes.scores) // 2])
    some = build_detector(config, checkpoint=checkpoint, threshold=middle)(pictures)[0]
    np.testing.assert_array_equal(some.boxes, all_boxes.boxes[all_boxes.scores >= middle])


def test_the_scope_of_others_is_left_alone(model_files):
    from mmengine.registry import DefaultScope
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        build_detector(str(model_files[0]), checkpoint=str(model_files[1]), threshold=.25)
        assert DefaultScope.get_current_instance().scope_name == 'mmpretrain'


class Hostile:
    def __reduce__(self):
        return (print, ('code ran', ))


def test_checkpoints_that_do_not_fit_or_could_run_code(model_files, tmp_path):
    config, checkpoint = model_files
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    bad = tmp_path / 'bad.pth'
    torch.save({k: v for k, v in weights.items() if 'rtm_cls' not in k}, bad)
    with pytest.raises(CropError, match='tensors are missing, first bbox_head.rtm_cls'):
        build_detector(str(config), checkpoint=str(bad))
    name = next(name for name in weights if 'rtm_cls' in name and weights[name].ndim == 4)
    torch.save({**weights, name: torch.zeros(5, 5, 1, 1)}, bad)
    with pytest.raises(CropError, match='size mismatch'):
        build_detector(str(config), checkpoint=str(bad))
    bad.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(CropError, match='was refused'):
        build_detector(str(config), checkpoint=str(bad))
    with pytest.raises(CropError, match='missing.pth of the detector does not exist'):
        build_detector(str(config), checkpoint=str(tmp_path / 'missing.pth'))
