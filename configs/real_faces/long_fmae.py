"""FMAE (no adversary) on CK+ at 48 px, trained longer and without RandAugment.

FOLD=2 in the environment is fold 2. Registered in docs/en/real_faces.md, "Trained longer".
"""
_base_ = ['./long_settled.py']

model = dict(adversary=None)
