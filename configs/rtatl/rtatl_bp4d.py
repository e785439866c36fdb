"""RTATL on BP4D: RoI inpainting and single-image flow; FOLD=2 in the environment is fold 2.

Before it: python tools/misc/compute_flow.py data/bp4d --delta 8
"""
_base_ = [
    '../_base_/models/rtatl_resnet34.py',
    '../_base_/datasets/aligned_224.py',
    '../_base_/schedules/rtatl.py',
    '../_base_/rtatl_runtime.py',
]

aus = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
dataset = dict(
    type='BP4D',
    data_root='data/bp4d',
    ann_file='annotation.csv',
    data_prefix='faces',
    fold=int('{{$FOLD:1}}'))
train_dataloader = dict(dataset=dict(flow='flow', **dataset))
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
val_evaluator = dict(type='ActionUnitMetric')
test_evaluator = val_evaluator

model = dict(neck=dict(aus=aus), head=dict(num_classes=len(aus)))
