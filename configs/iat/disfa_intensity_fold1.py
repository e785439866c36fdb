"""FMAE-IAT on DISFA, fold 1: occurrences and intensities of all 12 AUs."""
_base_ = [
    '../_base_/models/iat_vit-large.py',
    '../_base_/datasets/disfa_intensity.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

model = dict(
    head=dict(num_classes=12),
    intensity_head=dict(type='AUIntensityHead', in_channels=1024, num_classes=12),
    adversary=dict(neck=dict(scale=0.5), head=dict(num_subjects=27)))
