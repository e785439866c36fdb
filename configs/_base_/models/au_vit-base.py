"""FMAE for action units, ViT-B/16."""
_base_ = ['./au_vit-large.py']

model = dict(
    backbone=dict(arch='base'),
    head=dict(in_channels=768),
    pretrained='checkpoints/fmae_vit-base_face9m.pth')
