"""RTATL with the identity adversary of FMAE-IAT on BP4D; it sees the global feature."""
_base_ = ['./rtatl_bp4d.py']

model = dict(
    adversary=dict(
        neck=dict(type='GradReverse', scale=2.0),
        head=dict(type='LinearIdentityHead', in_channels=512, num_subjects=41, loss='bce')))
