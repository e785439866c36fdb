"""Ablation: identity head of 1 layer (the default)."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(head=dict(hidden_dims=())))
