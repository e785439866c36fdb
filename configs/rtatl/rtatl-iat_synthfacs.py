"""RTATL with the identity adversary on rendered faces; softmax cross entropy, a mild lambda."""
_base_ = ['./rtatl_synthfacs.py']

model = dict(
    adversary=dict(
        neck=dict(type='GradReverse', scale=0.05),
        head=dict(type='LinearIdentityHead', in_channels=64, num_subjects=36, loss='ce')))
