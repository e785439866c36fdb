"""FMAE on RAF-DB: base learning rate 1e-3, batch 32, 60 epochs, 6 of warm-up."""
_base_ = [
    '../_base_/models/expression_vit-large.py',
    '../_base_/datasets/rafdb.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

model = dict(head=dict(num_classes=7))
optim_wrapper = dict(optimizer=dict(lr=1e-3 * 32 / 256))
param_scheduler = dict(warmup_epochs=6)
train_cfg = dict(max_epochs=60)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
