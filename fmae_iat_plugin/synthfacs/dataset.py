# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""SynthFACS as a data set, which is rendered while it is read or written to disk once."""

import json
from functools import partial
from pathlib import Path
from typing import Optional, Union

import cv2
import numpy as np
from mmengine.logging import MMLogger
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.datasets.action_unit import ActionUnitDataset
from fmae_iat_plugin.datasets.annotation import AnnotationTable, write_annotation
from fmae_iat_plugin.files import claim_folder, write_whole
from fmae_iat_plugin.parallel import Processes, run_parallel

from .population import Population

TABLE, PARAMETERS = 'annotations.csv', 'synthfacs.json'


@DATASETS.register_module()
class SynthFACS(ActionUnitDataset):
    """Rendered faces with exact action units; samples and ``metainfo`` are ActionUnitDataset's.

    Args:
        population (dict | Population, optional): Arguments of :class:`Population`. Defaults to
            the population in ``data_root``, or without a ``data_root`` to ``Population()``.
        size (int): Side of the images rendered on the fly. Defaults to 224.
        data_root (str): A folder that :func:`write_synthfacs` wrote. If it is empty, the faces are
            rendered on the fly: a sample carries ``img`` (BGR uint8 ``[size, size, 3]``), and
            ``img_path`` is only a name.
        fold (int, optional): Defaults to the population's fold.
        aus, split, intensity_threshold, pipeline, **kwargs: See :class:`ActionUnitDataset`; the
            default threshold is 2.

    Raises:
        ValueError: If the folder holds another population. With a shortcut, also if ``fold`` is not
            the one whose subjects were drawn without it.
        FileNotFoundError: If the folder or its table is missing.
    """

    def __init__(self,
                 population: Union[dict, Population, None] = None,
                 size: int = 224,
                 data_root: str = '',
                 fold: Optional[int] = None,
                 split: str = 'train',
                 **kwargs):
        if isinstance(population, dict):
            population = Population(**population)
        if data_root:
            stored = read_population(data_root)
            if population is not None and population != stored:
                raise ValueError(f'{Path(data_root, PARAMETERS)} describes {stored}, but the '
                                 f'config wants {population}. Remedy: leave `population` out, or '
                                 'write these faces to another folder.')
            population = stored
        self.population = population or Population()
        self.size, self.on_the_fly = size, not data_root
        fold = self.population.fold if fold is None else fold
        if fold != self.population.fold and self.population.shortcut > 0 and split != 'all':
            raise ValueError(
                f'fold {fold} of SynthFACS: its test subjects were drawn with the shortcut; only '
                f'those of fold {self.population.fold} were not. Remedy: set fold='
                f'{self.population.fold}, or use a population with fold={fold}.')
        if kwargs.get('split_seed') and self.population.shortcut > 0:
            raise ValueError(
                f'split_seed={kwargs["split_seed"]} of SynthFACS with shortcut '
                f'{self.population.shortcut:g}: only the test subjects of its own fold were drawn '
                'without it. Remedy: another population (seed) instead of another split.')
        super().__init__(ann_file=TABLE, folds=self.population.folds, fold=fold, split=split,
                         data_root=data_root, check_images=not self.on_the_fly, **kwargs)

    def _read_table(self, path: str) -> AnnotationTable:
        return self.population.table() if self.on_the_fly else super()._read_table(path)

    def _protocol(self, protocol, folds):
        return self.population.protocol

    def get_data_info(self, idx: int) -> dict:
        """Sample ``idx``; it carries ``img`` if it is rendered on the fly."""
        sample = super().get_data_info(idx)
        if self.on_the_fly:
            subject, frame = self.population.parse(sample['img_path'])
            sample['img'] = np.ascontiguousarray(
                self.population.image(subject, frame, self.size)[..., ::-1])
            sample['img_shape'] = sample['ori_shape'] = (self.size, self.size)
        return sample


def read_population(folder: Union[str, Path]) -> Population:
    """The population that :func:`write_synthfacs` wrote to ``folder``.

    Raises:
        FileNotFoundError: If nothing was written there.
    """
    path = Path(folder).expanduser() / PARAMETERS
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist. Remedy: render the faces first '
                                '(write_synthfacs, or bash tools/quickstart.sh).')
    return Population(**json.loads(path.read_text(encoding='utf-8'))['population'])


def _write_subject(out: Path, population: Population, size: int, subject: int) -> int:
    """Render the missing frames of one subject; returns their number."""
    cv2.setNumThreads(0)  # each process uses one core
    rendered = 0
    for frame in range(population.frames):
        path = out / population.path(subject, frame)
        if path.is_file():
            continue
        image = population.image(subject, frame, size)
        write_whole(path, cv2.imencode('.png', image[..., ::-1])[1].tobytes())
        rendered += 1
    return rendered


def write_synthfacs(out: Union[str, Path],
                    subjects: int = 24,
                    frames: int = 100,
                    size: int = 224,
                    shortcut: float = 0.0,
                    seed: int = 0,
                    workers: Processes = 0,
                    **population) -> Path:
    """Render a population to disk: images, ``annotations.csv`` with intensities, parameters.

    The function can be killed and called again. Existing images are kept, each image is written
    whole, and the table is written last, so its presence means that the data set is complete.

    Args:
        out: Folder; created if it does not exist.
        subjects, frames, shortcut, seed, **population: See :class:`Population`.
        size: Side of the images in pixels.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`; 0 = the cores
            that this process may use.

    Returns:
        Path: The annotation table.

    Raises:
        ValueError: If the folder holds another population or size.
    """
    out = Path(out).expanduser()
    people = Population(subjects=subjects, frames=frames, shortcut=shortcut, seed=seed,
                        **population)
    wanted = dict(population=people.to_dict(), size=size)
    claim_folder(out, PARAMETERS, wanted, 'faces')
    if (out / TABLE).is_file():
        MMLogger.get_current_instance().info('%s is already complete.', out)
        return out / TABLE
    run_parallel(partial(_write_subject, out, people, size), range(subjects), workers,
                 'Rendering faces of subjects')
    table = people.table()
    write_annotation(out / TABLE, table.frame, table.aus, table.labels)
    return out / TABLE
