"""Ablation: lambda 3."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(neck=dict(scale=3.0)))
