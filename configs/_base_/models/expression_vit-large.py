"""FMAE for expressions, ViT-L/16: the AU model with a softmax head."""
_base_ = ['./au_vit-large.py']

model = dict(
    head=dict(
        _delete_=True,
        type='LinearClsHead',
        in_channels=1024,
        num_classes=8,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=2e-5)))
