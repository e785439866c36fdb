"""RTATL with the identity adversary of FMAE-IAT on DISFA; it sees the global feature."""
_base_ = ['./rtatl_disfa.py']

model = dict(
    adversary=dict(
        neck=dict(type='GradReverse', scale=0.5),
        head=dict(type='LinearIdentityHead', in_channels=512, num_subjects=27, loss='bce')))
