"""RTATL on DISFA with RoI inpainting alone."""
_base_ = ['./rtatl_disfa.py']

train_dataloader = dict(dataset=dict(flow=None))
model = dict(flow=None)
