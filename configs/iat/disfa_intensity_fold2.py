"""FMAE-IAT on DISFA, fold 2, with intensities."""
_base_ = ['./disfa_intensity_fold1.py']

train_dataloader = dict(dataset=dict(fold=2))
val_dataloader = dict(dataset=dict(fold=2))
test_dataloader = dict(dataset=dict(fold=2))
