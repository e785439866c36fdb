"""FMAE-IAT on BP4D, fold 1: lambda 2, base learning rate 5e-4, 30 epochs, 3 of warm-up."""
_base_ = [
    '../_base_/models/iat_vit-large.py',
    '../_base_/datasets/bp4d.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

model = dict(
    head=dict(num_classes=12),
    adversary=dict(neck=dict(scale=2.0), head=dict(num_subjects=41)))
param_scheduler = dict(warmup_epochs=3)
train_cfg = dict(max_epochs=30)
