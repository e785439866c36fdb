"""MAE, ViT-H/14."""
_base_ = ['./mae_vit-large.py']

model = dict(
    backbone=dict(arch='huge', patch_size=14),
    neck=dict(num_patches=256, patch_size=14, embed_dim=1280),
    head=dict(patch_size=14))
