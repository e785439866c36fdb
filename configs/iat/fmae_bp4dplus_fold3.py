"""FMAE on BP4D+, fold 3."""
_base_ = ['./fmae_bp4dplus_fold1.py']

train_dataloader = dict(dataset=dict(fold=3))
val_dataloader = dict(dataset=dict(fold=3))
test_dataloader = dict(dataset=dict(fold=3))
