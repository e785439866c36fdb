"""RTATL on BP4D with RoI inpainting alone."""
_base_ = ['./rtatl_bp4d.py']

train_dataloader = dict(dataset=dict(flow=None))
model = dict(flow=None)
