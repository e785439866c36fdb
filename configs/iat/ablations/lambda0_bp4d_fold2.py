"""Ablation: lambda 0 (the identity head learns, but no identity gradient reaches the backbone)."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(neck=dict(scale=0.0)))
