"""FMAE-IAT small enough for a test: 48 px in 16 patches, 32 wide, 3 deep; no randomness in it."""
_base_ = [
    '../../configs/_base_/models/iat_vit-tiny-48px.py',
    '../../configs/_base_/datasets/faces_48.py',
    '../../configs/_base_/schedules/finetune.py',
    '../../configs/_base_/default_runtime.py',
]
custom_imports = dict(imports=['fmae_iat_plugin', 'recorder'], allow_failed_imports=False)
custom_hooks = [dict(type='NonFiniteLossHook'), dict(type='ParityRecorder')]

model = dict(
    data_preprocessor=dict(random_erasing=None),
    backbone=dict(
        arch=dict(embed_dims=32, num_layers=3, num_heads=4, feedforward_channels=64),
        patch_size=12,
        drop_path_rate=0.),
    head=dict(in_channels=32, num_classes=5),
    adversary=dict(head=dict(in_channels=32, num_subjects=6)))

pipeline = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(48, 48), interpolation='bilinear', backend='pillow'),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='ActionUnitDataset', ann_file='annotation.csv', split='all', pipeline=pipeline))
val_dataloader, val_cfg, test_dataloader, test_cfg = None, None, None, None

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',  # fp32: no accelerator
    constructor={{_base_.optim_wrapper.constructor}},
    optimizer={{_base_.optim_wrapper.optimizer}},
    paramwise_cfg={{_base_.optim_wrapper.paramwise_cfg}})
param_scheduler = dict(warmup_epochs=1)
train_cfg = dict(_delete_=True, by_epoch=True, max_epochs=4)
log_level = 'ERROR'
