"""MMPretrain's runtime with the plugin registered, and with DDP for GPUs and CPUs."""
_base_ = ['mmpretrain::_base_/default_runtime.py']

custom_imports = dict(imports=['fmae_iat_plugin'], allow_failed_imports=False)

# device_ids=None is the replica's own device, so the same line serves nccl and gloo
model_wrapper_cfg = dict(
    type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)

default_hooks = dict(
    # losses are read one iteration late, so that a GPU does not wait for the host
    runtime_info=dict(type='LateRuntimeInfoHook'),
    replaced_images=dict(type='ReplacedImagesHook'),
    logger=dict(interval=50),
    # whole files, two of which are kept; --resume takes the newest that is intact
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=2),
    # a resumed run is the undisturbed one
    repeatable=dict(type='RepeatableHook'))

custom_hooks = [
    # config, data and checkpoint must fit each other
    dict(type='CheckSetupHook'),
    # a loss that is NaN or infinite stops the run before a checkpoint is overwritten
    dict(type='NonFiniteLossHook'),
]

# the ranks must not draw the same masks and erased boxes
randomness = dict(seed=0, diff_rank_seed=True)
