"""FMAE on small real faces, three times as long: 120 epochs at batch 64.

FOLD=2 in the environment is fold 2. Registered in docs/en/real_faces.md, "Trained longer".
"""
_base_ = ['./pretrain.py']

pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=48,
        crop_ratio_range=(0.4, 1.0),
        interpolation='bicubic',
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
dataset = _base_.train_dataloader.dataset
for part in dataset.datasets:
    part.pipeline = pipeline
train_dataloader = dict(batch_size=64, dataset=dataset)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = dict(warmup_epochs=10)
train_cfg = dict(max_epochs=120)
default_hooks = dict(checkpoint=dict(interval=30))
