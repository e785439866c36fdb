"""Ablation: lambda 0 (the identity head learns, the backbone does not hear of it)."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(neck=dict(scale=0.0)))
