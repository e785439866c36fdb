"""FMAE-IAT with a settled adversary on CK+ at 48 px, trained longer and without RandAugment.

FOLD=2 in the environment is fold 2. Registered in docs/en/real_faces.md, "Trained longer".
"""
_base_ = ['./iat.py']

train_pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=48,
        crop_ratio_range=(0.8, 1.0),
        interpolation='bicubic',
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.2),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
model = dict(
    adversary=dict(neck=dict(scale=2.0), head=dict(loss='ce', per_subject=True)),
    pretrained='work_dirs/real_faces/long_pretrain_fold{{$FOLD:1}}/epoch_120.pth')
custom_hooks = _base_.custom_hooks + [dict(type='AdversaryMonitorHook', interval=10)]
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=60, val_interval=20)
