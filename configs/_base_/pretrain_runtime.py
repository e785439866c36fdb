"""Runtime of pretraining on millions of faces: an epoch takes hours, so it is saved within, too."""
_base_ = ['./default_runtime.py']

default_hooks = dict(checkpoint=dict(within_epoch=1000))
