# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""configs/face_detection: trained on rendered faces by tools/train.py, and used for crops."""

import json
import runpy
import sys
from importlib.util import find_spec

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

from fmae_iat_plugin.converters.widerface import convert_widerface
from fmae_iat_plugin.faces import CropError, CropOptions, DetectorSpec, build_detector, crop_faces
from fmae_iat_plugin.faces.mmdet_detector import import_mmdet
from fmae_iat_plugin.synthfacs.renderer import render

pytestmark = pytest.mark.slow

SIZE = 128  # instead of 640
RTMDET, YOLOX = 'rtmdet_tiny_1xb32-300e_widerface', 'yolox_tiny_1xb32-300e_widerface'


@pytest.fixture(scope='module')
def mmdet():
    """mmdet's registry of models; without the compiled ops, the tests say how to get them."""
    try:
        return import_mmdet()[0]
    except CropError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """WIDER FACE's tree with one or two rendered faces on noise an image, converted."""
    root = tmp_path_factory.mktemp('wider')
    generator = np.random.default_rng(0)
    faces = [cv2.cvtColor(render(seed, size=64)[0], cv2.COLOR_RGB2BGR) for seed in range(6)]
    for split, number in (('train', 16), ('val', 6)):
        lines = []
        for index in range(number):
            scene = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            scene = cv2.resize(scene, (160, 120), interpolation=cv2.INTER_CUBIC)
            name, boxes = f'0--Parade/{split}_{index}.jpg', []
            for left in (0, 80)[:1 + index % 2]:
                side = int(generator.integers(36, 64))
                x, y = left + int(generator.integers(0, 80 - side)), int(
                    generator.integers(0, 120 - side))
                face = faces[int(generator.integers(len(faces)))]
                scene[y:y + side, x:x + side] = cv2.resize(face, (side, side),
                                                           interpolation=cv2.INTER_AREA)
                boxes.append(f'{x} {y} {side} {side} 0 0 0 0 0 0 ')
            path = root / f'release/WIDER_{split}/images/{name}'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), scene)
            lines += [name, str(len(boxes)), *boxes]
        file = root / f'release/wider_face_split/wider_face_{split}_bbx_gt.txt'
        file.parent.mkdir(exist_ok=True)
        file.write_text('\n'.join(lines) + '\n')
    convert_widerface(str(root / 'release'), str(root / 'widerface'))
    return root / 'widerface'


SIZES = {1280: 2 * SIZE, 640: SIZE, 416: SIZE, 320: SIZE // 2, -320: -SIZE // 2}


def test_a_leaf_changes_what_it_says(repo, tmp_path):
    """Against mmdet's own config: the classes, the data, the batch and its learning rate."""
    if find_spec('mmdet') is None:
        pytest.skip('mmdet is not installed. Remedy: bash tools/misc/build_mmcv_ops.sh')
    for name, parent, batch in ((RTMDET, 'rtmdet/rtmdet_tiny_8xb32-300e_coco', 8 * 32),
                                (YOLOX, 'yolox/yolox_tiny_8xb8-300e_coco', 8 * 8)):
        cfg = Config.fromfile(repo / f'configs/face_detection/{name}.py')
        (tmp_path / f'{name}.py').write_text(f'_base_ = "mmdet::{parent}.py"')
        base = Config.fromfile(tmp_path / f'{name}.py')
        assert cfg.default_scope == 'mmdet' and cfg.model.bbox_head.num_classes == 1
        cfg.model.bbox_head.num_classes = 80
        assert cfg.model == base.model
        assert cfg.train_dataloader.batch_size == 32
        rate = base.optim_wrapper.optimizer.lr * 32 / batch
        assert cfg.optim_wrapper.optimizer.lr == pytest.approx(rate)
        assert cfg.param_scheduler[1].eta_min == pytest.approx(rate * 0.05)
        for loader, split in (('train', 'train'), ('val', 'val'), ('test', 'val')):
            loader, old = (c[f'{loader}_dataloader'] for c in (cfg, base))
            assert loader.collate_fn == dict(type='pseudo_collate')
            assert loader.dataset.get('pipeline') == old.dataset.get('pipeline')
            dataset = loader.dataset.get('dataset', loader.dataset)
            assert dataset.type == 'CocoDataset' and dataset.metainfo.classes == ('face', )
            assert dataset.data_root + dataset.ann_file == f'data/widerface/{split}.json'
            assert dataset.data_prefix.img == f'images/{split}/'
        for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
            assert evaluator.ann_file == 'data/widerface/val.json'


def smaller(node):
    """The same config with SIZE pixels, and running averages that are of a few iterations."""
    if isinstance(node, dict):
        return {key: 0.2 if key == 'momentum' and node.get('type') == 'BN' else smaller(value)
                for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(map(smaller, node))
    return SIZES.get(node, node) if isinstance(node, int) else node


def small_config(repo, name, data, rate):
    """The shipped config on small images of ``data``, without the warm-up."""
    cfg = Config.fromfile(repo / f'configs/face_detection/{name}.py')
    cfg = Config(smaller(cfg.to_dict()))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].update(num_workers=0, persistent_workers=False, batch_size=4)
        dataset = cfg[loader].dataset
        dataset.get('dataset', dataset).data_root = str(data)
    cfg.val_evaluator.ann_file = cfg.test_evaluator.ann_file = str(data / 'val.json')
    cfg.model.backbone.init_cfg = None  # its weights would be downloaded
    cfg.model.test_cfg.score_thr = 0.001
    cfg.optim_wrapper.optimizer.lr = rate
    cfg.randomness = dict(seed=0)
    return cfg


def schedule(cfg, epochs, mosaic):
    """So many epochs, with or without the mosaic of four images."""
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=epochs, val_interval=epochs)
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', T_max=2 * epochs)]
    cfg.default_hooks.checkpoint.update(interval=epochs, save_optimizer=False)
    cfg.default_hooks.logger.interval = 4
    for hook in cfg.custom_hooks:
        if 'switch_epoch' in hook:  # RTMDet
            hook.switch_epoch = epochs if mosaic else 0
        elif 'num_last_epochs' in hook:  # YOLOX
            hook.num_last_epochs = -1 if mosaic else epochs


def fixed_loss(models, cfg, checkpoint):
    """The loss on all training scenes as they are, without augmentation."""
    from mmdet.registry import DATASETS
    dataset_cfg = dict(cfg.val_dataloader.dataset, ann_file='train.json',
                       data_prefix=dict(img='images/train/'))
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset, model = DATASETS.build(dataset_cfg), models.build(cfg.model)
    model.load_state_dict(torch.load(checkpoint, weights_only=False)['state_dict'])
    model.data_preprocessor.batch_augments = None  # YOLOX: a random size
    batch = pseudo_collate([dataset[index] for index in range(len(dataset))])
    with torch.no_grad():
        losses = model.train()(**model.data_preprocessor(batch, True), mode='loss')
    return float(model.parse_losses(losses)[0])


def train(repo, cfg, work_dir, monkeypatch):
    """Run tools/train.py on a config; path of the last checkpoint."""
    work_dir.mkdir()
    cfg.dump(work_dir / 'config.py')
    tool = str(repo / 'tools/train.py')
    monkeypatch.setattr(sys, 'argv', [tool, str(work_dir / 'config.py'), '--work-dir',
                                      str(work_dir), '--no-pin-memory',
                                      '--no-persistent-workers'])
    with DefaultScope.overwrite_default_scope('mmdet'):  # the runner leaves its own behind
        runpy.run_path(tool, run_name='__main__')
    return (work_dir / 'last_checkpoint').read_text()


def overlap(a, b):
    """Intersection over union of two boxes, x1, y1, x2, y2."""
    w, h = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = max(w, 0) * max(h, 0)
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


def true_boxes(data, split):
    """Image name -> boxes [n, 4]."""
    coco = json.loads((data / f'{split}.json').read_text())
    names = {image['id']: image['file_name'] for image in coco['images']}
    boxes = {name: [] for name in names.values()}
    for face in coco['annotations']:
        x, y, w, h = face['bbox']
        boxes[names[face['image_id']]].append(np.array([x, y, x + w, y + h], float))
    return boxes


@pytest.mark.parametrize('name,epochs,rate,found', [(RTMDET, 20, 2e-3, 0.3), (YOLOX, 6, 2e-2, 0)])
def test_trained_by_the_tool_it_crops(mmdet, repo, data, tmp_path, monkeypatch, name, epochs,
                                      rate, found):
    cfg = small_config(repo, name, data, rate)
    schedule(cfg, 1, mosaic=True)
    first = train(repo, cfg, tmp_path / 'first', monkeypatch)
    schedule(cfg, epochs, mosaic=False)
    cfg.load_from = first
    last = train(repo, cfg, tmp_path / 'last', monkeypatch)
    old, new = (torch.load(path, weights_only=False)['state_dict'] for path in (first, last))
    with DefaultScope.overwrite_default_scope('mmdet'):
        learned = [key for key, _ in mmdet.build(cfg.model).named_parameters()]
    assert not [key for key in learned if torch.equal(old[key], new[key])]

    # From the first epoch on: RTMDet's loss is weighted by the overlap of the boxes, which a
    # network without training does not have.
    losses = [fixed_loss(mmdet, cfg, path) for path in (first, last)]
    assert losses[1] < 0.96 * losses[0], losses

    config, shares = str(tmp_path / 'last/config.py'), []
    for checkpoint in (first, last):  # the share of faces among the best five boxes
        detector = build_detector(config, checkpoint=checkpoint, threshold=0.001)
        hits = [max((overlap(box, face) for box in boxes), default=0) > 0.5
                for image, faces in true_boxes(data, 'train').items()
                for boxes in [detector([cv2.imread(str(data / 'images/train' / image))])[0][0][:5]]
                for face in faces]
        shares.append(np.mean(hits))
    assert shares[1] >= shares[0] + found, shares

    # the crops are those of the detector's boxes
    spec = DetectorSpec(config, checkpoint=last, threshold=0.001)
    crop_faces(data / 'images/val', tmp_path / 'out', spec, CropOptions(faces='central', size=64))
    table = pd.read_csv(tmp_path / 'out/faces.csv')
    assert sorted(table.source) == sorted(true_boxes(data, 'val'))
    detected = table[table.face == 'detected']  # YOLOX may still draw boxes outside an image
    assert len(detected)
    for row in detected.itertuples():
        image = cv2.imread(str(data / 'images/val' / row.source))
        boxes, scores = spec.build()([image])[0]
        box = (row.x1, row.y1, row.x2, row.y2)
        place = np.abs(boxes - box).max(1).argmin()
        np.testing.assert_allclose(boxes[place], box, atol=0.01)
        assert scores[place] == pytest.approx(row.score, abs=1e-3)
        assert cv2.imread(str(tmp_path / 'out/faces' / row.image)).shape == (64, 64, 3)
