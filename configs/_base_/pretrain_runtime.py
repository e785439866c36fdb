"""Runtime of pretraining on millions of faces: an epoch takes hours, so it is saved within, too.

Blocks are compiled on a GPU; the log has images a second, waiting for data and MFU, and every
tenth epoch a picture of what is reconstructed.
"""
_base_ = ['./default_runtime.py']

default_hooks = dict(checkpoint=dict(within_epoch=1000))

custom_hooks = [
    dict(type='CheckSetupHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='CompileBlocksHook'),
    dict(type='ThroughputHook'),
    dict(type='ReconstructionHook', interval=10),
]
