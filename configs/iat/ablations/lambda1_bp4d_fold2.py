"""Ablation: lambda 1."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(neck=dict(scale=1.0)))
