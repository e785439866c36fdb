# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""FMAE-IAT on BP4D, fold 1, as a delta of the plugin's config: a small encoder, an own head."""
_base_ = [__import__('fmae_iat_plugin').config_path('iat/bp4d_fold1.py')]

custom_imports = dict(imports=['fmae_iat_plugin', 'example'], allow_failed_imports=False)

model = dict(
    pretrained=None,  # from scratch; the plugin's config names an encoder pretrained on faces
    backbone=dict(arch=dict(
        _delete_=True, embed_dims=48, num_layers=2, num_heads=2, feedforward_channels=96)),
    head=dict(type='SmoothedAUHead', in_channels=48, smoothing=0.1),
    adversary=dict(head=dict(in_channels=48)))
train_dataloader = dict(batch_size=8, num_workers=1)
val_dataloader = dict(num_workers=1)
test_dataloader = dict(num_workers=1)
train_cfg = dict(max_epochs=2)
param_scheduler = dict(warmup_epochs=1)
