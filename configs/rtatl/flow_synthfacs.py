"""RTATL on rendered faces with single-image flow alone."""
_base_ = ['./rtatl_synthfacs.py']

model = dict(inpainting=None)
