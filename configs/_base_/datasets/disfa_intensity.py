"""DISFA with the intensities of all 12 AUs beside their occurrences (from 2 on); fold 1."""
_base_ = ['./disfa.py']

dataset = dict(
    aus=(1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26),
    intensities=(1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26))
pack = dict(type='PackInputs', algorithm_keys=('subject', 'gt_intensity'))
train_pipeline = [*_base_.train_pipeline[:-1], pack]
test_pipeline = [*_base_.test_pipeline[:-1], pack]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader

val_evaluator = [dict(type='ActionUnitMetric'), dict(type='ActionUnitIntensityMetric')]
test_evaluator = val_evaluator
