"""Runtime of fine-tuning: keeps the best epoch beside the last one.

The paper selects the best epoch on the test fold (`paper/f1`), and so do the configs of its data
sets; the honest numbers are those of the last epoch. `validated_on` in the meta of a checkpoint
says on whom its epoch was judged.
"""
_base_ = ['./default_runtime.py']

default_hooks = dict(checkpoint=dict(save_best='paper/f1', rule='greater'))

custom_hooks = [
    dict(type='CheckSetupHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='CompileBlocksHook'),
    dict(type='ThroughputHook'),
]
