"""RTATL on BP4D on the FMAE encoder, ViT-B/16, with its layer-wise learning rates."""
_base_ = ['./rtatl_bp4d.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        arch='base',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        out_type='featmap',
        final_norm=False),
    neck=dict(in_channels=768),
    head=dict(in_channels=768),
    flow=dict(in_channels=768),
    pretrained='checkpoints/fmae_vit-base_face9m.pth')
optim_wrapper = dict(
    optimizer=dict(lr=5e-4 * 64 / 256), paramwise_cfg=dict(layer_decay_rate=0.65))
