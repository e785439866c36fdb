"""FMAE-IAT on BP4D with an adversary that settles: softmax, lambda per person (docs/en/iat.md)."""
_base_ = ['../bp4d_fold1.py']

model = dict(adversary=dict(head=dict(loss='ce', per_subject=True)))
custom_hooks = _base_.custom_hooks + [dict(type='AdversaryMonitorHook')]
