"""FMAE-IAT on CK+ at 48 px, 78 subjects in three folds, from the encoder that pretrain.py left.

FOLD=2 in the environment is fold 2.

Pre-registered for docs/en/real_faces.md: 20 epochs, batch 32, lambda 1, mild crop (0.5-1).
"""
_base_ = [
    '../_base_/models/iat_vit-tiny-48px.py',
    '../_base_/datasets/faces_48.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

aus = (1, 2, 4, 6, 7, 9, 12, 15, 17, 25)
dataset = dict(
    type='ActionUnitDataset',
    data_root='{{$FMAE_REAL_DATA:data/real}}/ck48',
    ann_file='labels.csv',
    aus=aus,
    folds=3,
    fold=int('{{$FOLD:1}}'))
train_pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=48,
        crop_ratio_range=(0.5, 1.0),
        interpolation='bicubic',
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='TimmRandAugment', config_str='rand-m9-mstd0.5-inc1', img_size=48),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
val_evaluator = dict(type='ActionUnitMetric')
test_evaluator = val_evaluator

model = dict(
    head=dict(num_classes=len(aus)),
    adversary=dict(neck=dict(scale=1.0), head=dict(num_subjects=78)),
    pretrained='work_dirs/real_faces/pretrain_fold{{$FOLD:1}}/epoch_40.pth')
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',  # fp32: no accelerator
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(layer_decay_rate=0.75, undecayed=('cls_token', 'pos_embed')))
train_cfg = dict(val_interval=5)
default_hooks = dict(repeatable=dict(enabled=False))  # as the registered runs drew
