"""RTATL on BP4D with single-image flow alone."""
_base_ = ['./rtatl_bp4d.py']

model = dict(inpainting=None)
