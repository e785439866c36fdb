"""FMAE (no adversary) on CK+ at 48 px."""
_base_ = ['./iat.py']

model = dict(adversary=None)
