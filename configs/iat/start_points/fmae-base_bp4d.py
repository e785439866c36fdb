"""Figure 2, start point FMAE, ViT-B: fine-tuned on BP4D without adversary.

FOLD=2 in the environment is fold 2.
"""
_base_ = [
    '../../_base_/models/au_vit-base.py',
    '../../_base_/datasets/bp4d.py',
    '../../_base_/schedules/finetune.py',
    '../../_base_/finetune_runtime.py',
]

train_dataloader = dict(dataset=dict(fold=int('{{$FOLD:1}}')))
val_dataloader = dict(dataset=dict(fold=int('{{$FOLD:1}}')))
test_dataloader = dict(dataset=dict(fold=int('{{$FOLD:1}}')))
model = dict(head=dict(num_classes=12))
optim_wrapper = dict(optimizer=dict(lr=2e-4 * 64 / 256))
