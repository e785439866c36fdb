"""RTATL on BP4D with ResNet-50."""
_base_ = ['./rtatl_bp4d.py']

model = dict(
    backbone=dict(depth=50, init_cfg=dict(checkpoint='torchvision://resnet50')),
    neck=dict(in_channels=2048),
    head=dict(in_channels=2048),
    flow=dict(in_channels=2048))
