"""FMAE: ViT-H pretrained on Face9M, its weights spread over the GPUs (FSDP)."""
_base_ = ['./fmae_vit-huge_face9m.py', '../_base_/strategies/fsdp.py']
