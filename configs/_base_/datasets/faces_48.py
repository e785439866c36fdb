"""Fine-tuning on face crops at 48 px, for laptops: the published augmentation at that size."""
_base_ = ['./faces_224.py']

train_pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=48,
        crop_ratio_range=(0.08, 1.0),
        interpolation='bicubic',
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='TimmRandAugment', config_str='rand-m9-mstd0.5-inc1', img_size=48),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
test_pipeline = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(48, 48), interpolation='bilinear', backend='pillow'),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
