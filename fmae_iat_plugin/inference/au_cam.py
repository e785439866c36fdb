# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Heat maps of action units on the faces of an image; see docs/en/inference.md."""

import argparse
import sys
from pathlib import Path
from typing import List, Optional, Sequence, Union

import cv2
import numpy as np

from fmae_iat_plugin.action_units import au_name, parse_au
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.faces.crop import crop_of_frame
from fmae_iat_plugin.faces.provenance import add_crop_arguments, crop_arguments
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.stack import use_stack
from fmae_iat_plugin.weights.zoo_index import resolve_model

from .inferencer import AUTO, AUInferencer, detector_argument


def draw_cam(infer: AUInferencer, image: Union[str, Path, np.ndarray],
             aus: Sequence[int]) -> np.ndarray:
    """Grad-CAM of action units on every face of an image.

    Args:
        infer: With PyTorch: an exported model has no gradients.
        image: Path, or uint8 BGR ``[H, W, 3]``.
        aus: Their numbers.

    Returns:
        np.ndarray: uint8 BGR; see :func:`~fmae_iat_plugin.visualization.cam.cam_picture`.

    Raises:
        ValueError: If the model does not predict one of them, the image is unreadable or has no
            face, or the model is an exported one.
        FileNotFoundError, ImportError: If the image or a library is missing.
    """
    use_stack()
    from fmae_iat_plugin.visualization.cam import cam_picture, grad_cam

    from .torch_backend import TorchBackend
    if not isinstance(infer.backend, TorchBackend):
        raise ValueError('an exported model has no gradients. Remedy: give its config and '
                         'checkpoint.')
    unknown = [au for au in aus if au not in infer.aus]
    if unknown:
        raise ValueError(f'the model does not predict {au_name(unknown[0])}. Remedy: one of '
                         f'{", ".join(map(au_name, infer.aus))}.')
    seen = []
    rows = [row for row in infer.predict(image, on_frame=lambda shown, _: seen.append(shown))
            if row.success]
    if infer.problems:
        raise ValueError(f'{image}: {infer.problems[0].reason}; {infer.problems[0].detail}')
    if not rows:
        raise ValueError('no face was found in the image.')
    if len(seen) > 1:
        raise ValueError(f'{image} has {len(seen)} frames. Remedy: one image.')
    crops = [crop_of_frame(seen[0], row.box, infer.crop) if infer.detector or infer.fixed_size
             else seen[0] for row in rows]
    model = infer.backend.model
    packed = [infer.pipeline(dict(img=crop)) for crop in crops]
    data = {key: [entry[key] for entry in packed] for key in ('inputs', 'data_samples')}
    inputs = model.data_preprocessor(data, False)['inputs']
    places = [infer.aus.index(au) for au in aus]
    heats = np.stack([grad_cam(model, inputs, place) for place in places])
    shown = [cv2.resize(crop, inputs.shape[:1:-1]) for crop in crops]
    return cam_picture(shown, heats, rows, aus, places)


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code: 0, or 2 (an error)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('image')
    parser.add_argument('--model', required=True, help='config, or a name of the model zoo')
    parser.add_argument('--weights', help='checkpoint of that config')
    parser.add_argument('--au', required=True, help='action unit, such as 12; several: 4,12')
    parser.add_argument('-o', '--out', required=True, help='picture: .png or .jpg')
    parser.add_argument('--detector', default=AUTO,
                        help="dlib, an mmdet config, or none: the image is a face crop; default: "
                        "that of the model's training, else dlib")
    parser.add_argument('--detector-weights', help='mmdet: checkpoint')
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the GPU if there is one')
    add_crop_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        suffix = Path(args.out).suffix.lower()
        if suffix not in ('.png', '.jpg'):
            raise ValueError(f'--out {args.out} is neither .png nor .jpg')
        aus = [parse_au(au) for au in args.au.split(',')]
        infer = AUInferencer(*resolve_model(args.model, args.weights), args.device,
                             detector_argument(args.detector, args.detector_weights, args.device),
                             dict(crop_arguments(args)))
        picture = draw_cam(infer, args.image, aus)
        write_whole(Path(args.out), cv2.imencode(suffix, picture)[1].tobytes())
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    return 0


if __name__ == '__main__':
    sys.exit(main())
