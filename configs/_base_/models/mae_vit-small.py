"""MAE, ViT-S/16 (MMPretrain's 'small' is 768 wide, 8 deep)."""
_base_ = ['./mae_vit-large.py']

model = dict(
    backbone=dict(arch='deit-small'),
    neck=dict(embed_dim=384))
