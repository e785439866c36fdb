"""Ablation: lambda 0.5."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(neck=dict(scale=0.5)))
