"""Ablation: softmax cross entropy for the identity, as the paper writes (its code uses binary)."""
_base_ = ['../bp4d_fold2.py']

model = dict(adversary=dict(head=dict(loss='ce')))
