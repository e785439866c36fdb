# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Face detectors (dlib, any mmdet model), crops, landmarks, tracking through sequences."""

from .cropping import crop_faces
from .detections import Detections, Detector
from .detector import DetectorSpec, build_detector
from .structures import CropError, CropOptions

__all__ = ['CropError', 'CropOptions', 'Detections', 'Detector', 'DetectorSpec', 'build_detector',
           'crop_faces']
