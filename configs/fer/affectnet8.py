"""FMAE on AffectNet-8: base learning rate 5e-4, batch 64, 30 epochs, 3 of warm-up."""
_base_ = [
    '../_base_/models/expression_vit-large.py',
    '../_base_/datasets/affectnet8.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

model = dict(head=dict(num_classes=8))
optim_wrapper = dict(optimizer=dict(lr=5e-4 * 64 / 256))
param_scheduler = dict(warmup_epochs=3)
train_cfg = dict(max_epochs=30)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
