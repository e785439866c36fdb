"""Pretraining of the quickstart's encoder on the rendered faces of the training subjects."""
_base_ = [
    '../_base_/models/mae_vit-tiny-48px.py',
    '../_base_/schedules/fmae_pretrain.py',
    '../_base_/default_runtime.py',
]

work = '{{$QUICKSTART_DIR:work_dirs/quickstart}}'
pipeline = [
    dict(type='LoadFace'),
    dict(
        type='RandomResizedCrop',
        scale=64,
        crop_ratio_range=(0.5, 1.0),
        aspect_ratio_range=(0.95, 1.05),
        interpolation='bilinear',
        backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=64,  # the total over all processes
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='TotalBatchSampler', drop_last=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='SynthFACS',
        data_root=work + '/faces',
        split='train',
        in_memory=True,
        pipeline=pipeline))

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=192, num_layers=4, num_heads=6, feedforward_channels=768),
        img_size=64,
        patch_size=16),
    neck=dict(
        num_patches=16,
        patch_size=16,
        embed_dim=192,
        decoder_embed_dim=64,
        decoder_depth=1,
        decoder_num_heads=4),
    head=dict(patch_size=16))
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',  # fp32: no accelerator
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1.5e-3, betas=(0.9, 0.95), weight_decay=0.05))
param_scheduler = dict(warmup_epochs=6)
train_cfg = dict(max_epochs=60)
default_hooks = dict(
    checkpoint=dict(interval=10),
    repeatable=dict(enabled=False))  # as the registered runs drew
