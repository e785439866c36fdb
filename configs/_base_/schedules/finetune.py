"""Fine-tuning: AdamW, layer decay 0.65, per-iteration cosine to 1e-6 times the layer's scale.

lr = base learning rate * batch / 256, batch 64 in total; a config states its own base learning
rate, epochs and warm-up. No EMA, no clipping, no mixup, no label smoothing.
"""
optim_wrapper = dict(
    type='MixedPrecisionOptimWrapper',
    dtype='float16',
    loss_scale='dynamic',
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(
        type='AdamW',
        lr=5e-4 * 64 / 256,
        betas=(0.9, 0.999),
        weight_decay=0.05,
        fused=True),
    paramwise_cfg=dict(layer_decay_rate=0.65, undecayed=('cls_token', 'pos_embed')))

param_scheduler = dict(
    type='WarmupCosineLR', warmup_epochs=2, eta_min=1e-6, convert_to_iter_based=True)

train_cfg = dict(type='ResumableEpochLoop', max_epochs=20, val_interval=1)
val_cfg = dict()
test_cfg = dict()
