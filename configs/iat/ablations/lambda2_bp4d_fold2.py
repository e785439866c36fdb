"""Ablation: lambda 2."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(neck=dict(scale=2.0)))
