"""FMAE-IAT without pretraining, fold 3."""
_base_ = ['./scratch-iat_fold1.py']

train_dataloader = dict(dataset=dict(fold=3))
val_dataloader = dict(dataset=dict(fold=3))
test_dataloader = dict(dataset=dict(fold=3))
