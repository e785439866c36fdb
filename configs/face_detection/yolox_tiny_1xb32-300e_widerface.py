"""mmdet's YOLOX-tiny for faces: WIDER FACE, one class, a total batch of 32 (COCO's: 64)."""
_base_ = [
    'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py',
    '../_base_/datasets/widerface.py',
]

model = dict(bbox_head=dict(num_classes=1))

train_dataloader = dict(
    batch_size=32,
    collate_fn=_base_.widerface_collate,
    dataset=dict(dataset=_base_.widerface_train))
val_dataloader = dict(collate_fn=_base_.widerface_collate, dataset=_base_.widerface_val)
test_dataloader = val_dataloader
val_evaluator = _base_.widerface_evaluator
test_evaluator = val_evaluator

# learning rates in proportion to the batch
base_lr = 0.01 * 32 / 64
optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = _base_.param_scheduler
param_scheduler[1].eta_min = base_lr * 0.05
