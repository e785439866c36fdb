"""FMAE for action units, ViT-H/14."""
_base_ = ['./au_vit-large.py']

model = dict(
    backbone=dict(arch='huge', patch_size=14),
    head=dict(in_channels=1280),
    pretrained='checkpoints/fmae_vit-huge_face9m.pth')
