"""MAE for laptops: 192 wide, 6 deep, 48 px in 64 patches of 6 px, decoder 128 x 2."""
_base_ = ['./mae_vit-large.py']

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=192, num_layers=6, num_heads=6, feedforward_channels=768),
        img_size=48,
        patch_size=6),
    neck=dict(
        num_patches=64,
        patch_size=6,
        embed_dim=192,
        decoder_embed_dim=128,
        decoder_depth=2,
        decoder_num_heads=4),
    head=dict(patch_size=6))
