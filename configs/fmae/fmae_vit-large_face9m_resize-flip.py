"""FMAE as the released code pretrains it: resize and flip, no random crop."""
_base_ = ['./fmae_vit-large_face9m.py']

train_dataloader = dict(
    dataset=dict(pipeline=[
        dict(type='LoadFace'),
        dict(type='Resize', scale=(224, 224), interpolation='bicubic', backend='pillow'),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        dict(type='PackInputs'),
    ]))
