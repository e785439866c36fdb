"""RTATL on BP4D with each face's own regions, from landmarks; without any, those of the mean shape.

Before it: python tools/misc/find_landmarks.py data/bp4d, and compute_flow.py
"""
_base_ = ['./rtatl_bp4d.py']

train_dataloader = dict(dataset=dict(landmarks='landmarks.csv'))
val_dataloader = dict(dataset=dict(landmarks='landmarks.csv'))
test_dataloader = dict(dataset=dict(landmarks='landmarks.csv'))
model = dict(neck=dict(regions='landmarks'))
