# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Face9M, or any other collection of unlabelled faces, for MAE pretraining.

Face9M is CelebA, FFHQ, VGGFace2, CASIA-WebFace, MegaFace, EDFace-Celeb-1M, UMDFaces and
LAION-Face (FMAE paper, Section 3). This class reads the images on disk as they are. Dropping images
with an aspect ratio above 1.5 and resizing to 224 is curation that happens before.
"""

import os
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Set, Tuple, Union

from mmengine.logging import MMLogger
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.media import IMAGE_SUFFIXES, walk

from .decoding import UnreadableImageError
from .exclusion import Exclusion
from .shards import expand_shards, index_tar


@DATASETS.register_module()
class Face9M(BaseDataset):
    """Unlabelled images from folders, list files and tar shards behind one class.

    Its pipeline must begin with ``LoadFace``, which reads files and members of shards alike.
    The order is deterministic: the sources as given, each sorted by path.

    If an image is missing or cannot be decoded during training, it is logged once, listed in
    ``skip_file``, and replaced by another random image. With ``test_mode=True`` it is an error.

    Args:
        data_root: One source or a list of them. A source is a folder (searched recursively for
            images, or for ``.tar`` shards), a ``.tar`` file, or a pattern of shards such as
            ``'face9m/{0000..0899}.tar'`` or ``'face9m/*.tar'``.
        ann_file: A list file, absolute or relative to ``data_root``. It holds one image path per
            line, absolute or relative to the single folder ``data_root``. The folder is then not
            searched.
        exclude: Images to leave out, above all the test subjects of a fold: paths, folders
            (everything below), wildcards (``*`` also crosses ``/``), or files with one of
            these per line. They are matched against the path below the source
            (``0007.tar/a.jpg`` in a shard) and the full path. An entry that matches nothing is
            an error, because it would leave test subjects in.
        index_dir: Folder for the indices of shards. Defaults to the folder of each shard.
        skip_file: File to which unreadable images are appended, one ``path<TAB>reason`` per
            line. It can be used as ``exclude``.
        **kwargs: Arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        FileNotFoundError: If a source does not exist.
        ValueError: If no image is found, sources overlap, a folder mixes images and shards, a
            line of the list file is not an image, or an exclusion matches nothing.
    """

    METAINFO: dict = dict()

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
        self._bases: List[str] = []  # folders and shards, to which an entry's first field refers
        self._unreadable: Set[str] = set()
        super().__init__(
            ann_file=ann_file,
            data_root=self.roots[0] if ann_file and self.roots else '',
            **kwargs)

    def load_data_list(self) -> List[dict]:
        """Find the images.

        Returns:
            list: Dicts, which are small because there may be millions: ``b`` index of the folder or
            shard, ``n`` path below it and, in a shard, ``o`` and ``s`` offset and size in bytes.
        """
        self._bases = []
        exclusion = Exclusion(self.exclude)
        entries, excluded = [], 0
        for entry in self._list_file() if self.ann_file else self._sources():
            base = self._bases[entry['b']]
            inner = entry['n']
            if 'o' in entry:
                inner = f'{os.path.basename(base)}/{inner}'
            if exclusion.matches(inner, os.path.join(base, entry['n'])):
                excluded += 1
            else:
                entries.append(entry)
        exclusion.check()
        if not entries:
            raise ValueError(
                f'Face9M: no image ({", ".join(IMAGE_SUFFIXES)}) in '
                f'{self.ann_file or self.roots}, {excluded} excluded; check data_root, '
                'ann_file and exclude')
        MMLogger.get_current_instance().info(
            f'Face9M: {len(entries)} images from {self.ann_file or self.roots}, {excluded} more '
            'left out by `exclude`')
        return entries

    def _add_base(self, path: str) -> int:
        self._bases.append(path)
        return len(self._bases) - 1

    def _list_file(self) -> Iterator[dict]:
        base = self._add_base(self.data_root)
        with open(self.ann_file, encoding='utf-8-sig') as file:
            for number, line in enumerate(file, 1):
                path = line.strip()
                if path and not path.lower().endswith(IMAGE_SUFFIXES):
                    raise ValueError(f'{self.ann_file}, line {number}: {path!r} is not an image '
                                     f'path ({", ".join(IMAGE_SUFFIXES)}); write one path per line')
                if path:
                    yield dict(b=base, n=path)

    def _sources(self) -> Iterator[dict]:
        folders = [root for root in self.roots if os.path.isdir(root)]
        real = sorted(Path(os.path.realpath(folder)) for folder in folders)
        for outer, inner in zip(real, real[1:]):
            if outer == inner or outer in inner.parents:
                raise ValueError(f'the sources {outer} and {inner} overlap, so images would count '
                                 'twice; name only the outer one')
        shards: List[str] = []
        for root in self.roots:
            if os.path.isdir(root):
                images, found = self._walk(root)
                base = self._add_base(root) if images else -1
                yield from (dict(b=base, n=name) for name in images)
                found = [os.path.join(root, name) for name in found]
            elif os.path.isfile(root) and not root.lower().endswith('.tar'):
                raise ValueError(f'the source {root} is neither a folder nor a .tar file; a list '
                                 'of images belongs in ann_file')
            elif root.lower().endswith('.tar'):
                found = expand_shards(root)
            else:
                raise FileNotFoundError(f'the source {root} does not exist; check data_root '
                                        '(patterns of shards must end with .tar)')
            for shard in found:
                if shard in shards:
                    raise ValueError(f'the shard {shard} is named by two sources; remove one')
                shards.append(shard)
                base = self._add_base(shard)
                for name, offset, size in index_tar(shard, IMAGE_SUFFIXES, self.index_dir):
                    yield dict(b=base, n=name, o=offset, s=size)

    @staticmethod
    def _walk(root: str) -> Tuple[List[str], List[str]]:
        """Images and shards below a folder, relative to it and sorted."""
        images, shards, others = [], [], 0
        for folder, _, names in walk(root):
            below = os.path.relpath(folder, root)
            for name in names:
                path = name if below == os.curdir else os.path.join(below, name)
                if name.lower().endswith(IMAGE_SUFFIXES):
                    images.append(path)
                elif name.lower().endswith('.tar'):
                    shards.append(path)
                else:
                    others += not name.endswith('.index.json')
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
        entry = super().get_data_info(idx)
        base = self._bases[entry['b']]
        info = dict(img_path=os.path.join(base, entry['n']), sample_idx=entry['sample_idx'])
        if 'o' in entry:
            info.update(tar_path=base, offset=entry['o'], size=entry['s'])
        return info

    def prepare_data(self, idx: int) -> Optional[dict]:
        """Run the pipeline; None if the image is unreadable, so that another one is fetched."""
        try:
            return super().prepare_data(idx)
        except UnreadableImageError as error:
            if self.test_mode:
                raise
            self._record(error)
            return None

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
