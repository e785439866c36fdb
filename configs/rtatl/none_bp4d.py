"""RTATL on BP4D with neither task: regions, relation and both branches."""
_base_ = ['./rtatl_bp4d.py']

train_dataloader = dict(dataset=dict(flow=None))
model = dict(inpainting=None, flow=None)
