# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Data: the annotation table, AU and expression data sets, faces for pretraining, transforms."""

from fmae_iat_plugin.stack import is_light, on_demand

__all__ = [
    'BP4D', 'DISFA', 'RAFDB', 'ActionUnitDataset', 'AffectNet', 'AnnotationError',
    'AnnotationTable', 'BP4DPlus', 'Face9M', 'FaceCrop', 'FollowLandmarks', 'LoadFace', 'LoadFlow',
    'PackFace', 'Protocol', 'RandomCamera', 'RandomFraming', 'RandomTexture', 'TimmRandAugment',
    'UnlabelledFaces', 'UnreadableImageError', 'face_collate', 'load_protocol', 'read_annotation',
    'split_subjects', 'write_annotation',
]

if is_light():
    __getattr__ = on_demand(__name__)
else:
    from .action_unit import BP4D, DISFA, ActionUnitDataset, BP4DPlus
    from .affectnet import AffectNet
    from .aligned_transforms import FaceCrop, FollowLandmarks, LoadFlow
    from .annotation import AnnotationError, AnnotationTable, read_annotation, write_annotation
    from .camera_transforms import RandomCamera, RandomFraming, RandomTexture
    from .decoding import UnreadableImageError
    from .face9m import Face9M
    from .packing import PackFace, face_collate
    from .protocol import Protocol, load_protocol, split_subjects
    from .rafdb import RAFDB
    from .transforms import LoadFace, TimmRandAugment
    from .unlabelled import UnlabelledFaces
