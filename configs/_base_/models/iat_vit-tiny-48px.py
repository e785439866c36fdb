"""FMAE-IAT for laptops: 192 wide, 6 deep, 48 px in 64 patches of 6 px."""
_base_ = ['./iat_vit-large.py']

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=192, num_layers=6, num_heads=6, feedforward_channels=768),
        img_size=48,
        patch_size=6),
    head=dict(in_channels=192),
    adversary=dict(head=dict(in_channels=192)),
    pretrained=None)
