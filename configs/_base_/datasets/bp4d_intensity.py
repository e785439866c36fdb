"""BP4D with the intensities of five of its AUs, from a table of their own; fold 1."""
_base_ = ['./bp4d.py']

dataset = dict(intensities=(6, 10, 12, 14, 17), intensity_file='intensities.csv')
pack = dict(type='PackInputs', algorithm_keys=('subject', 'gt_intensity'))
train_pipeline = [*_base_.train_pipeline[:-1], pack]
test_pipeline = [*_base_.test_pipeline[:-1], pack]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader

val_evaluator = [dict(type='ActionUnitMetric'), dict(type='ActionUnitIntensityMetric')]
test_evaluator = val_evaluator
