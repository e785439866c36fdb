"""Ablation: identity head of 2 layers (GELU between)."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(head=dict(hidden_dims=(512, ))))
