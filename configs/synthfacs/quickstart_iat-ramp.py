"""FMAE-IAT on rendered faces, lambda rising over the training instead of constant."""
_base_ = ['./quickstart_iat-paper.py']

custom_hooks = _base_.custom_hooks + [dict(type='LambdaRampHook')]
