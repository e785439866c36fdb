"""FMAE on small real faces, without fold 3's test subjects."""
_base_ = ['./pretrain_fold1.py']

datasets = _base_.train_dataloader.dataset.datasets
datasets[0].fold = 3
train_dataloader = dict(dataset=dict(datasets=datasets))
