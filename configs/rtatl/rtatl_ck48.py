"""RTATL on CK+ at 48 px, 78 subjects in three folds, with the regions of the mean shape.

The folder of the data (ck48/) is $FMAE_REAL_DATA; FOLD=2 in the environment is fold 2. The flow is
that between the last frames of a sequence, which hardly differ. Before it:

    python tools/misc/compute_flow.py $FMAE_REAL_DATA/ck48/labels.csv --out work_dirs/ck48/flow
"""
from os.path import abspath

_base_ = ['./rtatl_synthfacs.py']

aus = (1, 2, 4, 6, 7, 9, 12, 15, 17, 25)
work = abspath('{{$CK48_DIR:work_dirs/ck48}}')
dataset = dict(
    _delete_=True,
    type='ActionUnitDataset',
    data_root='{{$FMAE_REAL_DATA:data/real}}/ck48',
    ann_file='labels.csv',
    aus=aus,
    folds=3,
    fold=int('{{$FOLD:1}}'),
    in_memory=True)
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
    dict(type='ColorJitter', brightness=0.2),
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
    batch_sampler=dict(_delete_=True, type='TotalBatchSampler', drop_last=True),
    dataset=dict(pipeline=train_pipeline, split='train', flow=work + '/flow', **dataset))
val_dataloader = dict(
    dataset=dict(pipeline=test_pipeline, split='test', test_mode=True, **dataset))
test_dataloader = dict(
    dataset=dict(pipeline=test_pipeline, split='test', test_mode=True, **dataset))
model = dict(neck=dict(aus=aus), head=dict(num_classes=len(aus)))
