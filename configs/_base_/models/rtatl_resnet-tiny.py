"""RTATL for laptops: a ResNet of three stages, 16 to 64 channels; 64 px give a map of 8 x 8."""
_base_ = ['./rtatl_resnet34.py']

model = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        stem_channels=16,
        base_channels=16,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2, ),
        init_cfg=None),
    neck=dict(in_channels=64, embed_dims=96, depth=1, roi_size=2),
    head=dict(in_channels=64, embed_dims=96),
    inpainting=dict(embed_dims=96, patch_size=8, hidden_dims=256),
    flow=dict(in_channels=64, size=16, channels=(64, 32, 32)))
