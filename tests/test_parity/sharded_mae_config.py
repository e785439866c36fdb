"""A small MAE with the hooks of a pretraining, its weights spread over the processes."""
_base_ = [
    '../../configs/_base_/models/mae_vit-tiny-48px.py',
    '../../configs/_base_/schedules/fmae_pretrain.py',
    '../../configs/_base_/pretrain_runtime.py',
    '../../configs/_base_/strategies/fsdp.py',
]
custom_imports = dict(imports=['fmae_iat_plugin', 'recorder'], allow_failed_imports=False)
custom_hooks = [
    dict(type='CheckSetupHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='CompileBlocksHook', on_cpu=True, backend='eager'),
    dict(type='ThroughputHook', interval=2, peak_tflops=1e-3),
    dict(type='ReconstructionHook', interval=1, images=2),
    dict(type='ParityRecorder'),
]
default_hooks = dict(
    runtime_info=dict(late=True), logger=dict(interval=2), checkpoint=dict(within_epoch=0))

model = dict(
    backbone=dict(arch=dict(embed_dims=32, num_layers=2, num_heads=4, feedforward_channels=64)),
    neck=dict(embed_dim=32, decoder_embed_dim=32, decoder_depth=1))

pipeline = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(48, 48), interpolation='bilinear', backend='pillow'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='TotalBatchSampler', drop_last=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ActionUnitDataset', ann_file='annotation.csv', split='all', pipeline=pipeline))
param_scheduler = dict(warmup_epochs=0)
