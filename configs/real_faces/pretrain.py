"""FMAE on small real faces for laptops: CK+ (48 px), ORL and Yale, without a fold's test subjects.

FOLD=2 in the environment is fold 2.

The folder of the data (ck48/, faces/orl/, faces/yale/) is $FMAE_REAL_DATA; see
docs/en/real_faces.md.
"""
_base_ = [
    '../_base_/models/mae_vit-tiny-48px.py',
    '../_base_/schedules/fmae_pretrain.py',
    '../_base_/default_runtime.py',
]

pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=48,
        crop_ratio_range=(0.2, 1.0),
        interpolation='bicubic',
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
data_root = '{{$FMAE_REAL_DATA:data/real}}'
train_dataloader = dict(
    batch_size=32,  # the total over all processes
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='TotalBatchSampler', drop_last=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ConcatDataset',
        ignore_keys=['classes', 'aus', 'subjects'],
        datasets=[
            dict(
                type='ActionUnitDataset',
                data_root=data_root + '/ck48',
                ann_file='labels.csv',
                folds=3,
                fold=int('{{$FOLD:1}}'),
                split='train',
                pipeline=pipeline),
            dict(type='Face9M', data_root=data_root + '/faces', pipeline=pipeline),
        ]))

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',  # fp32: no accelerator
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=8e-4, betas=(0.9, 0.95), weight_decay=0.05))
param_scheduler = dict(warmup_epochs=4)
train_cfg = dict(max_epochs=40)
default_hooks = dict(
    checkpoint=dict(interval=10),
    repeatable=dict(enabled=False))  # as the registered runs drew
