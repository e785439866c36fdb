"""FMAE-IAT: FMAE and a linear identity head behind gradient reversal (`scale` = lambda)."""
_base_ = ['./au_vit-large.py']

model = dict(
    adversary=dict(
        neck=dict(type='GradReverse', scale=1.0),
        head=dict(type='LinearIdentityHead', in_channels=1024, num_subjects=41, loss='bce')))
