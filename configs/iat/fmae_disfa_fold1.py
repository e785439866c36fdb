"""FMAE (no adversary) on DISFA, fold 1: base learning rate 5e-4, 20 epochs, 2 of warm-up."""
_base_ = [
    '../_base_/models/au_vit-large.py',
    '../_base_/datasets/disfa.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

model = dict(head=dict(num_classes=8))
