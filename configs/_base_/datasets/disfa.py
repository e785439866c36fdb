"""DISFA as `tools/dataset_converters/disfa.py` and `tools/crop_faces.py` write it; fold 1."""
_base_ = ['./faces_224.py']

dataset = dict(
    type='DISFA', data_root='data/disfa', ann_file='annotation.csv', data_prefix='faces', fold=1)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

val_evaluator = dict(type='ActionUnitMetric')
test_evaluator = val_evaluator
