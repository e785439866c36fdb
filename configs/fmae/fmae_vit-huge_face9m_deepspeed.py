"""FMAE: ViT-H pretrained on Face9M, its moments spread over the GPUs (DeepSpeed, ZeRO-2)."""
_base_ = ['./fmae_vit-huge_face9m.py', '../_base_/strategies/deepspeed.py']
