"""FMAE-IAT on rendered faces with the paper's form of the adversary: binary, lambda 0.5."""
_base_ = ['./quickstart_iat.py']

model = dict(adversary=dict(neck=dict(scale=0.5), head=dict(loss='bce', per_subject=False)))
