"""RTATL on CK+ with each face's own regions where dlib found landmarks, else the mean shape's.

Before it, beside the flow of rtatl_ck48.py:

    python tools/misc/find_landmarks.py $FMAE_REAL_DATA/ck48/labels.csv \\
        --out work_dirs/ck48/landmarks.csv
"""
from os.path import abspath

_base_ = ['./rtatl_ck48.py']

work = abspath('{{$CK48_DIR:work_dirs/ck48}}')
train_dataloader = dict(dataset=dict(landmarks=work + '/landmarks.csv'))
val_dataloader = dict(dataset=dict(landmarks=work + '/landmarks.csv'))
test_dataloader = dict(dataset=dict(landmarks=work + '/landmarks.csv'))
model = dict(neck=dict(regions='landmarks'))
