"""FMAE (no adversary) on rendered faces: the same recipe as quickstart_iat."""
_base_ = ['./quickstart_iat.py']

model = dict(adversary=None)
