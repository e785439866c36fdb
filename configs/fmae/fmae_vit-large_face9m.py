"""FMAE: ViT-L pretrained on Face9M, 50 epochs."""
_base_ = [
    '../_base_/models/mae_vit-large.py',
    '../_base_/datasets/face9m.py',
    '../_base_/schedules/fmae_pretrain.py',
    '../_base_/default_runtime.py',
]

model = dict(data_preprocessor=_base_.face_preprocessor)
