"""FMAE for action units, ViT-S/16 (MMPretrain's 'small' is 768 wide, 8 deep)."""
_base_ = ['./au_vit-large.py']

model = dict(
    backbone=dict(arch='deit-small'),
    head=dict(in_channels=384),
    pretrained='checkpoints/fmae_vit-small_face9m.pth')
