"""RTATL on DISFA with single-image flow alone."""
_base_ = ['./rtatl_disfa.py']

model = dict(inpainting=None)
