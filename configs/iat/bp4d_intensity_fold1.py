"""FMAE-IAT on BP4D, fold 1: occurrences of 12 AUs, intensities of five."""
_base_ = [
    '../_base_/models/iat_vit-large.py',
    '../_base_/datasets/bp4d_intensity.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

model = dict(
    head=dict(num_classes=12),
    intensity_head=dict(type='AUIntensityHead', in_channels=1024, num_classes=5),
    adversary=dict(neck=dict(scale=2.0), head=dict(num_subjects=41)))
param_scheduler = dict(warmup_epochs=3)
train_cfg = dict(max_epochs=30)
