"""The default model: occurrences and intensities of 17 AUs from rendered faces alone; Apache-2.0.

    python tools/misc/render_crops.py work_dirs/default_au
    python tools/train.py configs/synthfacs/default_au.py

A ResNet of 1.6 M parameters at 64 px on grey, standardised faces, whose framing and camera vary.
DEFAULT_AU_DIR names another folder of the faces. See docs/en/default_model.md.
"""
_base_ = ['../_base_/default_runtime.py']

faces = '{{$DEFAULT_AU_DIR:work_dirs/default_au}}'
aus = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26)
model_card = dict(
    name='SynthFACS default',
    training_data='rendered faces alone (SynthFACS, 3,600 people)',
    licence='Apache-2.0')

model = dict(
    type='AUClassifier',
    test_mirror=True,
    data_preprocessor=dict(type='GreyDataPreprocessor'),
    backbone=dict(
        type='IBNResNetCIFAR',
        depth=18,
        in_channels=1,
        stem_channels=24,
        base_channels=24,
        strides=(2, 2, 2, 2)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='AUHead',
        in_channels=192,
        num_classes=len(aus),
        # rendered AUs are rarer than those of recorded people: 12 % against 34 % in BP4D
        pos_weight=(3.0, ) * len(aus)),
    intensity_head=dict(
        type='AUIntensityHead', in_channels=192, num_classes=len(aus), loss_weight=0.6))

dataset = dict(
    type='ActionUnitDataset',
    ann_file='annotations.csv',
    aus=aus,
    intensities=aus,
    intensity_threshold=1,
    fold=None,
    split='all',
    cropping=dict(
        detector=dict(detector='dlib'), margin=0.05, square=False, align=None, halve=False))
pack = dict(type='PackInputs', algorithm_keys=('subject', 'gt_intensity'))
train_pipeline = [
    dict(type='LoadFace'),
    dict(type='RandomFraming', size=64, side=1.1 / 1.6),  # inference keeps 5 % of room, these 30 %
    dict(type='RandomTexture', prob=0.6, mix=0.6),
    dict(type='RandomCamera', grey=1, exposure=0.21),
    pack,
]
test_pipeline = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(64, 64), interpolation='bilinear', backend='pillow'),
    pack,
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='TotalBatchSampler', drop_last=True),
    dataset=dict(data_root=faces + '/train', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=100,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_root=faces + '/test', pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = [dict(type='ActionUnitMetric'), dict(type='ActionUnitIntensityMetric')]
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='MixedPrecisionOptimWrapper',
    dtype='bfloat16',
    loss_scale=1.0,
    cpu_dtype='bfloat16',
    constructor='DefaultOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5))
epoch = 3600 * 10 // 32  # updates
custom_hooks = _base_.custom_hooks + [
    dict(type='ChannelsLastHook'),
    # the mean of the weights at the ends of the last two epochs
    dict(
        type='EMAHook',
        ema_type='StochasticWeightAverage',
        begin_iter=4 * epoch,
        interval=epoch,
        update_buffers=True)
]
param_scheduler = dict(
    type='WarmupCosineLR', warmup_epochs=0.5, eta_min=1e-6, convert_to_iter_based=True)
train_cfg = dict(type='ResumableEpochLoop', max_epochs=5)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(repeatable=dict(enabled=False))  # as the registered runs drew
