"""mmdet's RTMDet-tiny for faces: WIDER FACE, one class, a total batch of 32 (COCO's: 256)."""
_base_ = [
    'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    '../_base_/datasets/widerface.py',
]

model = dict(bbox_head=dict(num_classes=1))

train_dataloader = dict(collate_fn=_base_.widerface_collate, dataset=_base_.widerface_train)
val_dataloader = dict(collate_fn=_base_.widerface_collate, dataset=_base_.widerface_val)
test_dataloader = val_dataloader
val_evaluator = _base_.widerface_evaluator
test_evaluator = val_evaluator

# learning rates in proportion to the batch
base_lr = 0.004 * 32 / 256
optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = _base_.param_scheduler
param_scheduler[1].eta_min = base_lr * 0.05
