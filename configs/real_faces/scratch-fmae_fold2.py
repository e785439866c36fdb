"""FMAE (no adversary) without pretraining, fold 2."""
_base_ = ['./scratch-fmae_fold1.py']

train_dataloader = dict(dataset=dict(fold=2))
val_dataloader = dict(dataset=dict(fold=2))
test_dataloader = dict(dataset=dict(fold=2))
