"""FMAE as the released code pretrains it: resize and flip, no random crop."""
_base_ = ['./fmae_vit-large_face9m.py']

model = dict(data_preprocessor=dict(random_resized_crop=dict(crop_ratio_range=None)))
