"""FMAE for action units, ViT-L/16: mean of the patch tokens -> LayerNorm (`ln2`) -> linear head."""
model = dict(
    type='AUClassifier',
    data_preprocessor=dict(
        type='FaceDataPreprocessor',
        non_blocking=True,
        mean=[123.675, 116.28, 103.53],  # ImageNet, RGB, 0-255
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
        random_erasing=dict(prob=0.25)),
    backbone=dict(
        type='VisionTransformer',
        arch='large',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        out_type='avg_featmap',
        final_norm=False),
    head=dict(type='AUHead', in_channels=1024, num_classes=12),
    pretrained='checkpoints/fmae_vit-large_face9m.pth')
