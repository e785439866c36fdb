"""Ablation: identity head of 3 layers (GELU between)."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(head=dict(hidden_dims=(512, 256))))
