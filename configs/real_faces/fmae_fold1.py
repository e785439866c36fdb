"""FMAE (no adversary) on CK+ at 48 px, fold 1."""
_base_ = ['./iat_fold1.py']

model = dict(adversary=None)
