"""Runtime of RTATL: fine-tuning's, and the mean shape of the training faces for the model."""
_base_ = ['./finetune_runtime.py']

custom_hooks = [
    dict(type='CheckSetupHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='MeanShapeHook'),
]
