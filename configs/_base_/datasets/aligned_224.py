"""Fine-tuning at 224 with landmarks and flow, which follow crop and flip; batch 64 in total.

No RandAugment: it turns and shears the image without a note. `landmarks` and `flow` of the data set
are what tools/misc/find_landmarks.py and tools/misc/compute_flow.py write.
"""
_base_ = ['./faces_224.py']

train_pipeline = [
    dict(type='LoadFace'),
    dict(
        type='FaceCrop',
        scale=224,
        crop_ratio_range=(0.85, 1.0),
        aspect_ratio_range=(0.95, 1.05),
        interpolation='bicubic',
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.2, contrast=0.2),
    dict(type='FollowLandmarks'),
    dict(type='LoadFlow', size=32),
    dict(type='PackInputs', algorithm_keys=('subject', 'landmarks', 'flow')),
]
test_pipeline = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(224, 224), interpolation='bilinear', backend='pillow'),
    dict(type='PackInputs', algorithm_keys=('subject', 'landmarks')),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
