"""FMAE-IAT on BP4D+, fold 4."""
_base_ = ['./bp4dplus_fold1.py']

train_dataloader = dict(dataset=dict(fold=4))
val_dataloader = dict(dataset=dict(fold=4))
test_dataloader = dict(dataset=dict(fold=4))
