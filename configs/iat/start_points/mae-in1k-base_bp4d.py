"""Figure 2, start point ImageNet-1k MAE, ViT-B: fine-tuned on BP4D without adversary.

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
model = dict(
    head=dict(num_classes=12),
    pretrained='https://download.openmmlab.com/mmselfsup/1.x/mae/'
    'mae_vit-base-p16_8xb512-fp16-coslr-1600e_in1k/'
    'mae_vit-base-p16_8xb512-fp16-coslr-1600e_in1k_20220825-f7569ca2.pth')
optim_wrapper = dict(optimizer=dict(lr=2e-4 * 64 / 256))
