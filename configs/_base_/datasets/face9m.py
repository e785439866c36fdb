"""Face9M: random resized crop and flip, batch 512 in total.

The workers decode; crop, flip and normalisation run on the device, on the whole batch, by
`face_preprocessor`, which a config takes as its `model.data_preprocessor`. The released code
resizes and flips only; for that, set random_resized_crop.crop_ratio_range to None.
"""
face_preprocessor = dict(
    _delete_=True,
    type='FaceDataPreprocessor',
    non_blocking=True,
    mean=[123.675, 116.28, 103.53],  # ImageNet, RGB, 0-255
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
    random_resized_crop=dict(size=224, crop_ratio_range=(0.2, 1.0), flip=0.5))

train_pipeline = [dict(type='LoadFace'), dict(type='PackFace')]

train_dataloader = dict(
    batch_size=512,  # the total over all GPUs
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='PermutationSampler', shuffle=True),
    batch_sampler=dict(type='TotalBatchSampler', drop_last=True),
    collate_fn=dict(type='face_collate'),
    dataset=dict(type='Face9M', data_root='data/face9m', pipeline=train_pipeline))
