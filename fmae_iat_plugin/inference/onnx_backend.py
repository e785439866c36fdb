# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What runs the model for the inferencer: ONNX Runtime, on a file of ``tools/export_onnx.py``."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Callable, Dict, Optional, Sequence, Tuple, Union

import numpy as np

from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.parallel import working_threads
from fmae_iat_plugin.stack import use_stack

from .recipe import ArrayPipeline, Recipe, resizes

#: steps of a test pipeline that a file may ask for: names in it could otherwise be any function
STEPS = ('Resize', 'ResizeEdge', 'CenterCrop', 'PackInputs')
KEYS = ('aus', 'thresholds', 'image_size', 'colour_order', 'pipeline')


def import_onnxruntime():
    """ONNX Runtime.

    Raises:
        ImportError: If it is not installed.
    """
    with needs_extra('export', 'ONNX Runtime'):
        import onnxruntime
    return onnxruntime


def check_onnx_device(device: Optional[str]) -> Tuple[str, int]:
    """Name and number of a device; ``('', 0)`` for None.

    Raises:
        ValueError: If ONNX Runtime does not know it, or cannot use it here.
    """
    name, _, number = (device or '').partition(':')
    if name not in ('', 'cpu', 'cuda') or not (number or '0').isdigit():
        raise ValueError(f'device {device!r} is unknown. Remedy: ONNX Runtime takes cpu, cuda or '
                         'cuda:1.')
    if name == 'cuda' and 'CUDAExecutionProvider' not in \
            import_onnxruntime().get_available_providers():
        raise ValueError(f'device {device!r}: this ONNX Runtime has no CUDA. Remedy: pip '
                         "install onnxruntime-gpu in onnxruntime's place, or --device cpu")
    return name, int(number or 0)


def read_metadata(path: Union[str, Path]) -> Dict[str, str]:
    """What a file notes.

    Raises:
        FileNotFoundError, ImportError, ValueError: See :class:`OnnxBackend`.
    """
    return OnnxBackend(path, 'cpu').metadata


class OnnxBackend:
    """An exported model; the twin of :class:`~.torch_backend.TorchBackend`.

    It uses as many cores as PyTorch does (``OMP_NUM_THREADS``, ``torch.set_num_threads``): all on a
    face that comes alone; from the first batch on, each on faces of its own, which is faster.

    Args:
        weights: ``.onnx`` file.
        device: ``'cpu'``, ``'cuda'`` or ``'cuda:1'``. Defaults to the GPU if the installed ONNX
            Runtime can use one.

    Attributes:
        outputs (int): Number of action units.
        aus (tuple): Their numbers.
        threshold (list): Probability from which each is present.
        image_size (tuple): Height and width of the faces, in pixels.
        intensity_aus (tuple): Those of the second output, ``intensities``; empty without one.
        cropping (dict, optional): How the training's faces were cropped; see
            :mod:`fmae_iat_plugin.datasets.cropping`.
        metadata (dict): All that the file notes: ``config``, ``fmae_iat_plugin`` (version), ...

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If ONNX Runtime is not installed.
        ValueError: If the file was not exported by this package, or the device is not available.
    """

    def __init__(self, weights: Union[str, Path], device: Optional[str] = None):
        self.path = Path(weights)
        if not self.path.is_file():
            raise FileNotFoundError(f'{weights} does not exist. Remedy: python '
                                    f'tools/export_onnx.py CONFIG CHECKPOINT {weights}')
        self._cores = working_threads()
        self.session = self._open(device, self._cores)
        self.metadata: Dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        missing = [key for key in KEYS if key not in self.metadata]
        if missing:
            raise ValueError(f'{weights} does not note its {", ".join(missing)}. Remedy: use a '
                             'file written by tools/export_onnx.py')
        self.aus: Tuple[int, ...] = tuple(json.loads(self.metadata['aus']))
        self.threshold = json.loads(self.metadata['thresholds'])
        self.image_size: Tuple[int, int] = tuple(json.loads(self.metadata['image_size']))
        self.cropping: Optional[dict] = json.loads(self.metadata.get('cropping', 'null'))
        self.intensity_aus: Tuple[int, ...] = tuple(
            json.loads(self.metadata.get('intensity_aus', '[]')))
        self.outputs = len(self.aus)
        self._names = ['probabilities', *(['intensities'] if self.intensity_aus else ())]
        given = {output.name: output.shape[-1] for output in self.session.get_outputs()}
        wanted = dict(zip(self._names, (self.outputs, len(self.intensity_aus))))
        wrong = [name for name, number in wanted.items() if given.get(name) != number]
        if wrong:
            raise ValueError(f'{weights} notes {wanted[wrong[0]]} action units for its output '
                             f'{wrong[0]}, and has {given.get(wrong[0], "no such output")}. '
                             'Remedy: use a file written by tools/export_onnx.py')
        self._on_gpu = self.session.get_providers()[0] != 'CPUExecutionProvider'
        self._pool: Optional[ThreadPoolExecutor] = None
        self._opening = Lock()

    def _open(self, device: Optional[str], cores: int):
        ort = import_onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = cores
        options.log_severity_level = 3  # errors
        # threads that wait for work must not take the cores from those that look for faces
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        name, number = check_onnx_device(device)
        available = ort.get_available_providers()
        providers = ['CPUExecutionProvider']
        if name != 'cpu' and 'CUDAExecutionProvider' in available:
            providers.insert(0, ('CUDAExecutionProvider', dict(device_id=number)))
        try:
            return ort.InferenceSession(str(self.path), options, providers=providers)
        except (RuntimeError, *_errors(ort)) as error:
            raise ValueError(f'{self.path} is not an ONNX model that ONNX Runtime '
                             f'{ort.__version__} can run: {error}') from error

    def recipe(self) -> Recipe:
        """How faces get to the model, by the test pipeline of the config it was exported with.

        Raises:
            ValueError: If that has a step that may not be taken from a file.
            ImportError: If it has a step that needs the stack, and that is not installed.
        """
        steps = json.loads(self.metadata['pipeline'])
        unknown = [step['type'] for step in steps if step['type'] not in STEPS]
        if unknown:
            raise ValueError(f'{self.path}: its test pipeline has {", ".join(unknown)}, and a file '
                             f'may ask for {", ".join(STEPS)} only. Remedy: name its config, '
                             f'{self.metadata.get("config")}, too: model=CONFIG, weights=FILE')
        if ArrayPipeline.fits(steps):
            pipeline: Callable[[dict], dict] = ArrayPipeline(steps)
        else:
            use_stack()
            from .torch_backend import mmcv_pipeline
            pipeline = mmcv_pipeline(steps)
        return Recipe(pipeline, None if resizes(steps) else max(self.image_size),
                      lambda: self.aus)

    def __call__(self, packed: Sequence[dict]) -> np.ndarray:
        """Probabilities ``[n, C]`` of what the test pipeline packed (uint8 ``[3, H, W]`` BGR); with
        intensities ``[n, C + K]``, these last.

        Raises:
            ValueError: If the images have another size than the model.
        """
        faces = np.stack([np.asarray(entry['inputs']) for entry in packed])
        if faces.shape[1:] != (3, *self.image_size):
            raise ValueError(f'the test pipeline gives {faces.shape[1:]}, {self.path} takes '
                             f'{(3, *self.image_size)}. Remedy: the config it was exported with.')
        if self._on_gpu:
            return self._run(faces)
        if len(faces) > 1:
            self._deal_out()
        run = map if self._pool is None else self._pool.map
        return np.concatenate(list(run(self._run, faces[:, None])))

    def _deal_out(self) -> None:
        """From now on each face is one core's."""
        with self._opening:
            if self._pool is None and self._cores > 1:
                self.session = self._open('cpu', 1)
                self._pool = ThreadPoolExecutor(self._cores)

    def _run(self, faces: np.ndarray) -> np.ndarray:
        found = self.session.run(self._names, {'faces': faces})
        return finite_scores(np.concatenate(found, axis=1), self.path)


def finite_scores(scores: np.ndarray, source: Union[str, Path]) -> np.ndarray:
    """The same scores; NaN is not a probability, and would count as absent.

    Raises:
        ValueError: If one is not finite.
    """
    if not np.isfinite(scores).all():
        raise ValueError(f'{source} gives probabilities that are not finite (NaN), so its weights '
                         'cannot be used. Remedy: take an earlier checkpoint; look at the losses '
                         'of its training.')
    return scores


def _errors(ort) -> tuple:
    """What ONNX Runtime raises for a file it cannot run."""
    state = ort.capi.onnxruntime_pybind11_state
    return (state.Fail, state.InvalidProtobuf, state.InvalidGraph, state.InvalidArgument,
            state.NoSuchFile, state.NotImplemented, state.RuntimeException)
