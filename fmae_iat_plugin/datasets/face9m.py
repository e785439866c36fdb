# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Face9M, or any other collection of unlabelled faces, for MAE pretraining.

Face9M is CelebA, FFHQ, VGGFace2, CASIA-WebFace, MegaFace, EDFace-Celeb-1M, UMDFaces and
LAION-Face (FMAE paper, Section 3). This class reads the images on disk as they are. Dropping images
with an aspect ratio above 1.5 and resizing to 224 is curation that happens before.
"""

import os
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Set, Tuple, Union

import torch
from mmengine.logging import MMLogger
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS
from torch.utils.data import get_worker_info

from fmae_iat_plugin.media import IMAGE_SUFFIXES, walk

from .byte_ranges import is_url, walk_store
from .decoding import UnreadableImageError
from .exclusion import Exclusion
from .packing import PackFace, batch_memory
from .records import Records, list_files
from .shards import INDEX_NAME, Span, expand_shards, open_shards

_WORKERS = 257


@DATASETS.register_module()
class Face9M(BaseDataset):
    """Unlabelled images from folders, list files and tar shards behind one class.

    Nine million images take as little memory as a hundred: a shard's index is read in place, never
    loaded, and what a worker is given is the names of files.

    Its pipeline must begin with ``LoadFace``, which reads files and members of shards alike.
    The order is deterministic: the sources as given, each sorted by path.

    If an image is missing or cannot be decoded during training, it is logged once with its shard
    and name, listed in ``skip_file``, counted in ``replaced``, and replaced by the next good one.
    With ``test_mode=True`` it is an error. ``ReplacedImagesHook`` says at the end how many.

    Args:
        data_root: One source or a list of them. A source is a folder (searched recursively for
            images, or for ``.tar`` shards), a ``.tar`` file, or a pattern of shards such as
            ``'face9m/{0000..0899}.tar'`` or ``'face9m/*.tar'``. Each may also be an address that
            fsspec reads, such as ``'s3://bucket/face9m/{0000..0899}.tar'``.
        ann_file: A list file, absolute or relative to ``data_root``. It holds one image path per
            line, absolute or relative to the single folder ``data_root``. The folder is then not
            searched.
        exclude: Images to leave out, above all the test subjects of a fold: paths, folders
            (everything below), wildcards (``*`` also crosses ``/``), or files with one of
            these per line. They are matched against the path below the source
            (``0007.tar/a.jpg`` in a shard) and the full path. An entry that matches nothing is
            an error, because it would leave test subjects in.
        index_dir: Folder for the indices of shards. Defaults to the folder of each shard, and for
            addresses to one in the user's cache.
        skip_file: File to which unreadable images are appended, one ``path<TAB>reason`` per
            line. It can be used as ``exclude``.
        **kwargs: Arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        FileNotFoundError: If a source does not exist.
        ValueError: If no image is found, sources overlap, a folder mixes images and shards, a
            line of the list file is not an image, or an exclusion matches nothing.
    """

    METAINFO: dict = dict()
    unlabelled = True  #: no sample has a label
    records: Records
    _fully_initialized: bool

    def __init__(self,
                 data_root: Union[str, Sequence[str]] = '',
                 ann_file: str = '',
                 exclude: Union[str, Sequence[str], None] = None,
                 index_dir: Optional[str] = None,
                 skip_file: Optional[str] = None,
                 **kwargs) -> None:
        roots = [data_root] if isinstance(data_root, (str, os.PathLike)) else list(data_root)
        self.roots = [os.path.expanduser(os.fspath(root)) for root in roots if root]
        if ann_file and len(self.roots) > 1:
            raise ValueError(f'ann_file={ann_file!r} needs one data_root, got {self.roots}; write '
                             'absolute paths into it, or use ConcatDataset')
        if not ann_file and not self.roots:
            raise ValueError('set data_root (folders or shards) or ann_file (a list of images)')
        self.exclude = exclude
        self.index_dir = index_dir
        self.skip_file = skip_file
        self._unreadable: Set[str] = set()
        self._size: Optional[Tuple[int, int]] = None  # of the images of the batch before
        # a place for each worker: adding from several processes would lose some
        self._replaced = torch.zeros(_WORKERS, dtype=torch.int64).share_memory_()
        super().__init__(
            ann_file=ann_file,
            data_root=self.roots[0] if ann_file and self.roots else '',
            **kwargs)
        steps = self.pipeline.transforms
        self._packs = bool(steps) and isinstance(steps[-1], PackFace)

    def full_init(self) -> None:
        """Find the images; done once, by the constructor or the first use."""
        if self._fully_initialized:
            return
        exclusion = Exclusion(self.exclude)
        found = Records([self._list_file()] if self.ann_file else list(self._sources()))
        self.records = found if self.exclude is None else found.without(exclusion.matches)
        exclusion.check()
        excluded = len(found) - len(self.records)
        if not len(self.records):
            raise ValueError(
                f'Face9M: no image ({", ".join(IMAGE_SUFFIXES)}) in '
                f'{self.ann_file or self.roots}, {excluded} excluded; check data_root, '
                'ann_file and exclude')
        MMLogger.get_current_instance().info(
            f'Face9M: {len(self.records)} images from {self.ann_file or self.roots}, {excluded} '
            'more left out by `exclude`')
        if self._indices is not None:
            self.records = self.records.subset(self._indices)
        self._fully_initialized = True

    def load_data_list(self) -> List[dict]:
        """All of :meth:`get_data_info`; for tools that want a list, training needs none."""
        return [self.get_data_info(idx) for idx in range(len(self))]

    def __len__(self) -> int:
        """Number of images."""
        self.full_init()
        return len(self.records)

    def get_subset_(self, indices: Union[Sequence[int], int]) -> None:
        """Keep some images; see :meth:`mmengine.dataset.BaseDataset.get_subset_`."""
        self.full_init()
        self.records = self.records.subset(indices)

    def get_subset(self, indices: Union[Sequence[int], int]) -> 'Face9M':
        """A data set of some images; see :meth:`mmengine.dataset.BaseDataset.get_subset`."""
        self.full_init()
        other = self._copy_without_annotation()
        other.records = self.records.subset(indices)
        return other

    def _list_file(self) -> Span:
        names = []
        with open(self.ann_file, encoding='utf-8-sig') as file:
            for number, line in enumerate(file, 1):
                path = line.strip()
                if path and not path.lower().endswith(IMAGE_SUFFIXES):
                    raise ValueError(f'{self.ann_file}, line {number}: {path!r} is not an image '
                                     f'path ({", ".join(IMAGE_SUFFIXES)}); write one path per line')
                if path:
                    names.append(path)
        return list_files(self.data_root, names)

    def _sources(self) -> Iterator[Span]:
        folders = [root for root in self.roots if os.path.isdir(root)]
        real = sorted(Path(os.path.realpath(folder)) for folder in folders)
        for outer, inner in zip(real, real[1:]):
            if outer == inner or outer in inner.parents:
                raise ValueError(f'the sources {outer} and {inner} overlap, so images would count '
                                 'twice; name only the outer one')
        shards: List[str] = []
        parts: List[Union[Span, List[str]]] = []
        for root in self.roots:
            if os.path.isdir(root) or is_url(root) and not root.lower().endswith('.tar'):
                images, found = self._walk(root)
                if images:
                    parts.append(list_files(root, images))
                found = [os.path.join(root, name) for name in found]
            elif os.path.isfile(root) and not root.lower().endswith('.tar'):
                raise ValueError(f'the source {root} is neither a folder nor a .tar file; a list '
                                 'of images belongs in ann_file')
            elif root.lower().endswith('.tar'):
                found = expand_shards(root)
            else:
                raise FileNotFoundError(f'the source {root} does not exist; check data_root '
                                        '(patterns of shards must end with .tar)')
            twice = set(found) & set(shards)
            if twice:
                raise ValueError(f'the shard {min(twice)} is named by two sources; remove one')
            shards += found
            parts.append(found)
        opened = open_shards(shards, self.index_dir)  # at once: a folder has one index
        for part in parts:
            yield from [part] if isinstance(part, Span) else (opened[shard] for shard in part)

    @staticmethod
    def _walk(root: str) -> Tuple[List[str], List[str]]:
        """Images and shards below a folder, relative to it and sorted."""
        images, shards, others = [], [], 0
        for folder, _, names in walk_store(root) if is_url(root) else walk(root):
            below = os.path.relpath(folder, root)
            for name in names:
                path = name if below == os.curdir else os.path.join(below, name)
                if name.lower().endswith(IMAGE_SUFFIXES):
                    images.append(path)
                elif name.lower().endswith('.tar'):
                    shards.append(path)
                else:
                    others += name != INDEX_NAME and not name.endswith('.index.json')
        if images and shards:
            raise ValueError(f'{root} holds images ({min(images)}) and shards ({min(shards)}), '
                             'and the images may be the unpacked shards; name the shards as '
                             f'{os.path.join(root, "*.tar")!r}, or the folder of the images')
        if others:
            MMLogger.get_current_instance().info(
                f'Face9M: {others} files below {root} are neither images nor shards')
        return sorted(images), sorted(shards)

    def get_data_info(self, idx: int) -> dict:
        """Returns ``img_path``, ``sample_idx`` and, in a shard, ``tar_path, offset, size``."""
        self.full_init()
        record = self.records[idx]
        info = dict(img_path=record.path, sample_idx=idx if idx >= 0 else len(self) + idx)
        if record.size >= 0:
            info.update(tar_path=record.base, offset=record.offset, size=record.size)
        return info

    def __getitem__(self, idx: int) -> dict:
        """Sample ``idx``, or the next one that can be read.

        Raises:
            UnreadableImageError: In a test, or if ``max_refetch`` images in a row are unreadable.
        """
        return self._sample(idx, None)

    def _sample(self, idx: int, out: Optional[torch.Tensor]) -> dict:
        """Sample ``idx``, decoded into ``out``, uint8 ``[H, W, 3]``, if that is its size."""
        self.full_init()
        error = UnreadableImageError('', 'no image')
        for number in range(idx, idx + min(self.max_refetch + 1, len(self))):
            try:
                return self.pipeline({**self.get_data_info(number % len(self)), 'out': out})
            except UnreadableImageError as found:
                if self.test_mode:
                    raise
                error = found
                worker = get_worker_info()
                self._replaced[0 if worker is None else 1 + worker.id % (_WORKERS - 1)] += 1
                self._record(error)
        raise error

    def __getitems__(self, indices: Sequence[int]) -> List[dict]:
        """The samples of a batch, as PyTorch's loader asks for them.

        With :class:`PackFace`, images of the size of those before are decoded into the memory of
        the batch.
        """
        if self._size is None:
            memory: Sequence[Optional[torch.Tensor]] = [None] * len(indices)
        else:
            memory = batch_memory(len(indices), self._size)
        samples = [self._sample(idx, out) for idx, out in zip(indices, memory)]
        if self._packs:
            height, width = samples[-1]['inputs'].shape[1:]
            self._size = height, width
        return samples

    @property
    def replaced(self) -> int:
        """How often an unreadable image was replaced, in this process and all of its workers."""
        return int(self._replaced.sum())

    def _record(self, error: UnreadableImageError) -> None:
        """Log an unreadable image once per process and list it once in ``skip_file``."""
        if error.path in self._unreadable:
            return
        self._unreadable.add(error.path)
        MMLogger.get_current_instance().warning(
            f'Face9M: {error.path} is unreadable ({error.reason}) and is replaced by another '
            f'image; {len(self._unreadable)} so far in this process')
        if self.skip_file is None:
            return
        path = Path(self.skip_file).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'a+', encoding='utf-8') as file:
            file.seek(0)
            if all(line.split('\t')[0] != error.path for line in file):
                file.write(f'{error.path}\t{error.reason}\n')

    def extra_repr(self) -> List[str]:
        """Lines for ``repr``."""
        return [f'Sources: \t{self.roots}', f'List file: \t{self.ann_file}']
