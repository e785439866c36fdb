"""Pretraining: AdamW, 50 epochs, 2 of warm-up from 0, cosine to 0, batch 512 in total.

lr = 1.5e-4 * batch / 256. Class and mask token are decayed, biases and norms are not, and the
position embedding is frozen.
"""
optim_wrapper = dict(
    # fp16 MAE can reach NaN; use dtype='float16' where the GPU has no bf16
    type='MixedPrecisionOptimWrapper',
    dtype='bfloat16',
    loss_scale=1.0,
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(
        type='AdamW',
        lr=1.5e-4 * 512 / 256,
        betas=(0.9, 0.95),
        weight_decay=0.05,
        fused=True),
    paramwise_cfg=dict())

param_scheduler = dict(
    type='WarmupCosineLR', warmup_epochs=2, eta_min=0.0, convert_to_iter_based=True)

train_cfg = dict(type='ResumableEpochLoop', max_epochs=50)
