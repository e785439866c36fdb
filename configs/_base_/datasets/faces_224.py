"""Fine-tuning on face crops at 224: the published augmentation, batch 64 in total."""
train_pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=224,
        crop_ratio_range=(0.08, 1.0),
        interpolation='bicubic',
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='TimmRandAugment', config_str='rand-m9-mstd0.5-inc1', img_size=224),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
test_pipeline = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(224, 224), interpolation='bilinear', backend='pillow'),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]

train_dataloader = dict(
    batch_size=64,  # the total over all GPUs
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='TotalBatchSampler', drop_last=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(pipeline=train_pipeline, split='train'))

val_dataloader = dict(
    batch_size=64,  # per GPU
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(pipeline=test_pipeline, split='test', test_mode=True))
test_dataloader = val_dataloader
