"""FMAE (no adversary) on CK+ at 48 px, fold 3."""
_base_ = ['./fmae_fold1.py']

train_dataloader = dict(dataset=dict(fold=3))
val_dataloader = dict(dataset=dict(fold=3))
test_dataloader = dict(dataset=dict(fold=3))
model = dict(pretrained='work_dirs/real_faces/pretrain_fold3/epoch_40.pth')
