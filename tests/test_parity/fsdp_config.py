"""The training of requeue_config.py with its weights spread over the processes."""
_base_ = ['./requeue_config.py', '../../configs/_base_/strategies/fsdp.py']

custom_hooks = [dict(type='CheckSetupHook'), *_base_.custom_hooks]
