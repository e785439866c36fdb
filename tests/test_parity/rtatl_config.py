"""RTATL + IAT small enough for a test, on a ViT (a batch norm differs between one rank and two)."""
_base_ = ['./parity_config.py']

aus = (1, 2, 4, 12, 25)
pipeline = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(48, 48), interpolation='bilinear', backend='pillow'),
    dict(type='LoadFlow', size=8),
    dict(type='PackInputs', algorithm_keys=('subject', 'landmarks', 'flow')),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline, landmarks='landmarks.csv', flow='flow'))
model = dict(
    type='RTATL',
    backbone=dict(out_type='featmap'),
    neck=dict(
        type='AURelationNeck',
        in_channels=32,
        aus=aus,
        embed_dims=16,
        depth=1,
        num_heads=2,
        roi_size=2,
        regions='landmarks'),
    head=dict(type='RTATLHead', embed_dims=16),
    inpainting=dict(type='RoIInpainting', embed_dims=16, patch_size=4, hidden_dims=16),
    flow=dict(type='SingleImageFlow', in_channels=32, size=8, channels=(8, )))
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    dict(type='MeanShapeHook'),
    dict(type='ParityRecorder'),
]
