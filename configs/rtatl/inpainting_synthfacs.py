"""RTATL on rendered faces with RoI inpainting alone."""
_base_ = ['./rtatl_synthfacs.py']

model = dict(flow=None)
