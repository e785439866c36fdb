"""FMAE-IAT on DISFA, fold 3, with intensities."""
_base_ = ['./disfa_intensity_fold1.py']

train_dataloader = dict(dataset=dict(fold=3))
val_dataloader = dict(dataset=dict(fold=3))
test_dataloader = dict(dataset=dict(fold=3))
