"""RTATL on rendered faces at 64 px, sized for one core: `python tools/benchmark/rtatl.py`.

36 people, a third of them unseen; DISFA's eight action units. A tenth of the training frames keeps
its labels: a batch of 32 has 16 of them and 16 unlabelled frames.
"""
_base_ = [
    '../_base_/models/rtatl_resnet-tiny.py',
    '../_base_/datasets/aligned_224.py',
    '../_base_/schedules/rtatl.py',
    '../_base_/rtatl_runtime.py',
]

work = '{{$RTATL_DIR:work_dirs/rtatl}}'
aus = (1, 2, 4, 6, 9, 12, 25, 26)
dataset = dict(type='SynthFACS', data_root=work + '/faces', aus=aus, in_memory=True)
train_pipeline = [
    dict(type='LoadFace'),
    dict(
        type='FaceCrop',
        scale=64,
        crop_ratio_range=(0.85, 1.0),
        aspect_ratio_range=(0.95, 1.05),
        interpolation='bilinear',
        backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='FollowLandmarks'),
    dict(type='LoadFlow', size=16),
    dict(type='PackInputs', algorithm_keys=('subject', 'landmarks', 'flow')),
]
test_pipeline = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(64, 64), interpolation='bilinear', backend='cv2'),
    dict(type='PackInputs', algorithm_keys=('subject', 'landmarks')),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    batch_sampler=dict(_delete_=True, type='MixedBatchSampler', labelled=16),
    dataset=dict(
        pipeline=train_pipeline, landmarks='landmarks.csv', flow='flow', labelled=0.1, **dataset))
val_dataloader = dict(
    batch_size=200, num_workers=1, dataset=dict(
        pipeline=test_pipeline, landmarks='landmarks.csv', flow='flow', **dataset))
test_dataloader = dict(
    batch_size=200, num_workers=1, dataset=dict(
        pipeline=test_pipeline, landmarks='landmarks.csv', flow='flow', **dataset))
val_evaluator = dict(type='ActionUnitMetric')
test_evaluator = dict(type='ActionUnitMetric')

model = dict(neck=dict(aus=aus), head=dict(num_classes=len(aus)), flow=dict(weight=2.0))
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',  # fp32: no accelerator
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict())
param_scheduler = dict(warmup_epochs=5)
train_cfg = dict(max_epochs=50, val_interval=50)
default_hooks = dict(repeatable=dict(enabled=False))  # as the registered runs drew
