"""FMAE-IAT on your own annotation table: edit the two settings, or inherit and override them.

The table is a CSV `image,subject,AU1,AU2,...` with cells 0 or 1, an intensity 0-5 (then add
intensity_threshold=2 to `table`), or empty (not coded). Its subjects are dealt into `folds`
subject-exclusive parts of about equal size. To name the folds yourself, replace folds=3 by
protocol='folds.json'. The epoch of best_*.pth is chosen on people who are neither trained on nor
tested.
"""
_base_ = [
    '../_base_/models/iat_vit-large.py',
    '../_base_/datasets/faces_224.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

table = dict(data_root='data/own', ann_file='annotation.csv', data_prefix='faces', folds=3, fold=1,
             held_out=0.1)  # of the training people, to choose the epoch on
aus = (1, 2, 4, 6, 12)  # the action units to learn

dataset = dict(type='ActionUnitDataset', aus=aus, **table)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dict(dataset, split='held_out'))  # not the people of the test
test_dataloader = dict(dataset=dataset)
val_evaluator = dict(type='ActionUnitMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='f1/mean', rule='greater'))
model = dict(
    head=dict(num_classes=len(aus)),
    adversary=dict(head=dict(num_subjects=None)))  # as many as the table has
runner_type = 'mmpretrain.ActionUnitRunner'  # counts them
