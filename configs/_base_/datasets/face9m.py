"""Face9M: random resized crop and flip, batch 512 in total.

The released code resizes and flips only; for that, replace the crop by
dict(type='Resize', scale=(224, 224), interpolation='bicubic', backend='pillow').
"""
train_pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=224,
        crop_ratio_range=(0.2, 1.0),
        interpolation='bicubic',
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=512,  # the total over all GPUs
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='TotalBatchSampler', drop_last=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='Face9M', data_root='data/face9m', pipeline=train_pipeline))
