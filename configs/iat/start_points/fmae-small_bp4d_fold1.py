"""Figure 2, start point FMAE, ViT-S: fine-tuned on BP4D without adversary, fold 1."""
_base_ = [
    '../../_base_/models/au_vit-small.py',
    '../../_base_/datasets/bp4d.py',
    '../../_base_/schedules/finetune.py',
    '../../_base_/finetune_runtime.py',
]

model = dict(head=dict(num_classes=12))
optim_wrapper = dict(optimizer=dict(lr=2e-4 * 64 / 256))
