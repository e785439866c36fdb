"""RTATL, ResNet-34: AU regions of the last feature map -> relation -> head, and both tasks.

The last stage keeps its stride at 1, so that a 224 px face has a map of 14 x 14 cells.
"""
model = dict(
    type='RTATL',
    data_preprocessor=dict(
        type='FaceDataPreprocessor',
        mean=[123.675, 116.28, 103.53],  # ImageNet, RGB, 0-255
        std=[58.395, 57.12, 57.375],
        to_rgb=True),
    backbone=dict(
        type='ResNet',
        depth=34,
        strides=(1, 2, 2, 1),
        out_indices=(3, ),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet34')),
    neck=dict(
        type='AURelationNeck',
        in_channels=512,
        aus=(1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24),
        embed_dims=256,
        depth=2,
        num_heads=4,
        roi_size=3,
        regions='mean'),
    head=dict(type='RTATLHead', in_channels=512, num_classes=12, embed_dims=256),
    inpainting=dict(
        type='RoIInpainting', embed_dims=256, patch_size=16, hidden_dims=512, share=0.25,
        weight=1.0),
    flow=dict(type='SingleImageFlow', in_channels=512, size=32, channels=(128, 64, 32), weight=0.1))
