"""FMAE-IAT on your own table without a GPU: ViT 192 x 6 at 48 px, fp32, from scratch, batch 32."""
_base_ = [
    '../_base_/models/iat_vit-tiny-48px.py',
    '../_base_/datasets/faces_48.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

table = dict(data_root='data/own', ann_file='annotation.csv', data_prefix='faces', folds=3, fold=1,
             held_out=0.1)  # of the training people, to choose the epoch on
aus = (1, 2, 4, 6, 12)  # the action units to learn

dataset = dict(type='ActionUnitDataset', aus=aus, **table)
train_dataloader = dict(batch_size=32, dataset=dataset)
val_dataloader = dict(dataset=dict(dataset, split='held_out'))  # not the people of the test
test_dataloader = dict(dataset=dataset)
val_evaluator = dict(type='ActionUnitMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='f1/mean', rule='greater'))
model = dict(
    head=dict(num_classes=len(aus)),
    adversary=dict(head=dict(num_subjects=None)))  # as many as the table has
runner_type = 'mmpretrain.ActionUnitRunner'  # counts them
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(undecayed=('cls_token', 'pos_embed')))
