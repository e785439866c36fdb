"""Fine-tuning of RTATL: AdamW, warm-up, cosine; one learning rate for all layers."""
_base_ = ['./finetune.py']

optim_wrapper = dict(
    optimizer=dict(lr=1e-4 * 64 / 256), paramwise_cfg=dict(layer_decay_rate=1.0))
