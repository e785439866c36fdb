"""RTATL on DISFA with neither task: regions, relation and both branches."""
_base_ = ['./rtatl_disfa.py']

train_dataloader = dict(dataset=dict(flow=None))
model = dict(inpainting=None, flow=None)
