"""FMAE (no adversary) from scratch: the same recipe, one learning rate for all layers."""
_base_ = ['./fmae.py']

model = dict(pretrained=None)
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=dict(layer_decay_rate=1.0))
