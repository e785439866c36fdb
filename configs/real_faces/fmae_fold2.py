"""FMAE (no adversary) on CK+ at 48 px, fold 2."""
_base_ = ['./fmae_fold1.py']

train_dataloader = dict(dataset=dict(fold=2))
val_dataloader = dict(dataset=dict(fold=2))
test_dataloader = dict(dataset=dict(fold=2))
model = dict(pretrained='work_dirs/real_faces/pretrain_fold2/epoch_40.pth')
