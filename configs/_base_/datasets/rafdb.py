"""RAF-DB, as the release lays it out."""
_base_ = ['./faces_224.py']

dataset = dict(type='RAFDB', data_root='data/rafdb')
train_dataloader = dict(batch_size=32, dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

# accuracy; mean-class accuracy (= mean recall); accuracy of each class
val_evaluator = [
    dict(type='Accuracy', topk=1),
    dict(type='SingleLabelMetric', items=('recall', )),
    dict(type='SingleLabelMetric', items=('recall', ), average=None),
]
test_evaluator = val_evaluator
