"""The training of parity_config.py, which a signal may stop and which resumes there."""
_base_ = ['./parity_config.py']

custom_hooks = [*_base_.custom_hooks, dict(type='Preempted')]
train_cfg = dict(_delete_=True, type='ResumableEpochLoop', max_epochs=4)
