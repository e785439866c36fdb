"""RTATL on your own annotation table, with unlabelled frames: edit the four lines.

The table is that of configs/custom/own_table.py, with `sequence` and `frame`. Rows whose AU cells
are all empty are the unlabelled frames; each batch of 64 has 32 of them. A table without such rows
takes labelled=64. Before it: python tools/misc/compute_flow.py data/own
"""
_base_ = [
    '../_base_/models/rtatl_resnet34.py',
    '../_base_/datasets/aligned_224.py',
    '../_base_/schedules/rtatl.py',
    '../_base_/rtatl_runtime.py',
]

table = dict(data_root='data/own', ann_file='annotation.csv', data_prefix='faces', folds=3, fold=1)
aus = (1, 2, 4, 6, 12)  # the action units to learn
num_subjects = 30  # people in the whole table
labelled = 32  # faces of a batch of 64

dataset = dict(type='ActionUnitDataset', aus=aus, **table)
train_dataloader = dict(
    batch_sampler=dict(_delete_=True, type='MixedBatchSampler', labelled=labelled),
    dataset=dict(flow='flow', **dataset))
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
val_evaluator = dict(type='ActionUnitMetric')
test_evaluator = val_evaluator
model = dict(
    neck=dict(aus=aus),
    head=dict(num_classes=len(aus)),
    adversary=dict(
        neck=dict(type='GradReverse', scale=1.0),
        head=dict(
            type='LinearIdentityHead', in_channels=512, num_subjects=num_subjects, loss='bce')))
