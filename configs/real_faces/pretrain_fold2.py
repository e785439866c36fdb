"""FMAE on small real faces, without fold 2's test subjects."""
_base_ = ['./pretrain_fold1.py']

datasets = _base_.train_dataloader.dataset.datasets
datasets[0].fold = 2
train_dataloader = dict(dataset=dict(datasets=datasets))
