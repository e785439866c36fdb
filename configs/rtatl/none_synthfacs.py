"""RTATL on rendered faces with neither task: regions, relation and both branches."""
_base_ = ['./rtatl_synthfacs.py']

model = dict(inpainting=None, flow=None)
