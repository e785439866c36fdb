"""MAE, ViT-B/16."""
_base_ = ['./mae_vit-large.py']

model = dict(
    backbone=dict(arch='base'),
    neck=dict(embed_dim=768))
