"""Figure 2, start point ImageNet-1k MAE, ViT-B, on BP4D, fold 3."""
_base_ = ['./mae-in1k-base_bp4d_fold1.py']

train_dataloader = dict(dataset=dict(fold=3))
val_dataloader = dict(dataset=dict(fold=3))
test_dataloader = dict(dataset=dict(fold=3))
