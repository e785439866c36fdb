# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The eight sources of Face9M as they are distributed, and MS-Celeb-1M, filled with any images.

::

    celeba/img_align_celeba.zip              img_align_celeba/000001.jpg
    celeba/list_attr_celeba.txt
    ffhq/00000/00003.png                     a folder, as unpacked
    vggface2/vggface2_train.tar.gz           train/n000002/0001_01.jpg
    casia/train.rec, train.idx, property     RecordIO of InsightFace
    megaface/FlickrFinal2.tar                10/10004708@N06/3_0.jpg and .jpg.json
    edface/EDFace_HR.zip                     HR/0/7.png
    umdfaces/umdfaces_batch1.tgz             umdfaces_batch1/person/person_0001.jpg and a .csv
    laion/00000.tar, .parquet, _stats.json   of img2dataset: 000000005.jpg, .txt, .json
    msceleb/FaceImageCroppedWithAlignment.tsv

The manifest says of every image where it went.
"""

import base64
import gzip
import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple, Union

from fmae_iat_plugin.files import write_whole

MAGIC = 0xced7230a
Files = Sequence[Tuple[str, bytes]]  # (suffix, content)
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Placed(NamedTuple):
    """One image of the emulated collection.

    Attributes:
        source (str): Its name.
        archive (str): Path of what holds it, below the source; '' = a file of its own.
        member (str): Path there, or the number of the record or line, from 0.
        number (int): Which of the images given.
    """

    source: str
    archive: str
    member: str
    number: int


def zipped(members: Files) -> bytes:
    """A zip archive of (name, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return buffer.getvalue()


def tarred(members: Files) -> bytes:
    """A tar archive of (name, content), with the folders of its members."""
    buffer, folders = io.BytesIO(), set()
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            folder = name.rpartition('/')[0]
            if folder and folder not in folders:
                folders.add(folder)
                entry = tarfile.TarInfo(folder)
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def gzipped_tar(members: Files) -> bytes:
    """A tar.gz archive of (name, content)."""
    return gzip.compress(tarred(members), mtime=0)


def _record(content: bytes) -> bytes:
    """A RecordIO record; a content that holds the magic number, at a multiple of 4, is split."""
    magic, pieces, start = struct.pack('<I', MAGIC), [], 0
    for place in range(0, len(content) - 3, 4):
        if content[place:place + 4] == magic:
            pieces.append(content[start:place])
            start = place + 4
    pieces.append(content[start:])
    record = b''
    for number, piece in enumerate(pieces):
        part = 0 if len(pieces) == 1 else 1 if number == 0 else 3 if number == len(
            pieces) - 1 else 2
        record += magic + struct.pack('<I', part << 29 | len(piece)) + piece
        record += b'\0' * (-len(piece) % 4)
    return record


def records(images: Sequence[bytes], identities: Sequence[int]) -> Tuple[bytes, bytes]:
    """An InsightFace RecordIO file and its .idx.

    Args:
        images: Image files.
        identities: Of each image, ascending.

    Returns:
        tuple: Bytes of the .rec and of the .idx file.
    """
    def item(labels: Sequence[float], key: int, data: bytes = b'') -> bytes:
        head = struct.pack('<IfQQ', len(labels), 0., key, 0)
        return head + struct.pack(f'<{len(labels)}f', *labels) + data

    people = sorted(set(identities))
    end = len(images) + 1
    contents = [item((end, end + len(people)), 0)]
    contents += [struct.pack('<IfQQ', 0, person, key, 0) + data
                 for key, (person, data) in enumerate(zip(identities, images), 1)]
    for key, person in enumerate(people, end):
        own = [n for n, p in enumerate(identities, 1) if p == person]
        contents.append(item((own[0], own[-1] + 1), key))
    data, index = b'', ''
    for key, content in enumerate(contents):
        index += f'{key}\t{len(data)}\n'
        data += _record(content)
    return data, index.encode()


def table(images: Sequence[bytes], people: Sequence[str]) -> bytes:
    """A TSV file of MS-Celeb-1M: person, rank, addresses, face, its rectangle, its image."""
    rectangle = base64.b64encode(struct.pack('<4f', .1, .1, .9, .9)).decode()
    return ''.join(
        f'{person}\t{rank}\thttp://image/{rank}\thttp://page/{rank}\tFaceId-0\t{rectangle}\t'
        f'{base64.b64encode(data).decode()}\n'
        for rank, (person, data) in enumerate(zip(people, images))).encode()


def _name(pattern: str) -> Callable[[int, str], str]:
    return lambda number, suffix: pattern.format(n=number, suffix=suffix)


#: source -> (archive or '', its maker, name of a member, files beside each image)
_ARCHIVES: Dict[str, Tuple[str, Callable[[Files], bytes], Callable, Tuple[str, ...]]] = dict(
    celeba=('img_align_celeba.zip', zipped, _name('img_align_celeba/{n:06d}{suffix}'), ()),
    vggface2=('vggface2_train.tar.gz', gzipped_tar, _name('train/n{n:06d}/0001_01{suffix}'), ()),
    megaface=('FlickrFinal2.tar', tarred, _name('{n}/1000{n}@N06/3_0{suffix}'), ('.json', )),
    edface=('EDFace_HR.zip', zipped, _name('HR/{n}/7{suffix}'), ()),
    umdfaces=('umdfaces_batch1.tgz', gzipped_tar, _name('umdfaces_batch1/p{n}/p{n}_1{suffix}'),
              ()),
    laion=('00000.tar', tarred, _name('{n:09d}{suffix}'), ('.txt', '.json')))
SOURCES = ('celeba', 'ffhq', 'vggface2', 'casia', 'megaface', 'edface', 'umdfaces', 'laion',
           'msceleb')
_BESIDE = dict(celeba={'list_attr_celeba.txt': b'3\n5_o_Clock_Shadow\n'},
               casia={'property': b'10572,112,112\n'},
               laion={'00000.parquet': b'PAR1', '00000_stats.json': b'{"count": 3}'},
               ffhq={'LICENSE.txt': b'CC BY-NC-SA 4.0\n'})


def write_face9m_sources(out: Union[str, Path], images: Files) -> List[Placed]:
    """Deal images to the sources, one after the other.

    Args:
        out: Folder of the collection; gets a folder for each source.
        images: (suffix such as ``.jpg``, bytes of the file), at least two for each source.

    Returns:
        list[Placed]: Where each image is, by source and in the order there.
    """
    if len(images) < 2 * len(SOURCES):
        raise ValueError(f'{len(images)} images for {len(SOURCES)} sources; give at least '
                         f'{2 * len(SOURCES)}')
    placed: List[Placed] = []
    for turn, source in enumerate(SOURCES):
        own = list(enumerate(images))[turn::len(SOURCES)]
        for name, data in _BESIDE.get(source, {}).items():
            write_whole(Path(out, source, name), data)
        placed += _WRITERS.get(source, _write_archive)(Path(out, source), source, own)
    return placed


def _write_archive(folder: Path, source: str, own: Sequence[Tuple[int, tuple]]) -> List[Placed]:
    archive, make, name, beside = _ARCHIVES[source]
    members, placed = [], []
    for number, (suffix, data) in own:
        member = name(number, suffix)
        members.append((member, data))
        stem = member if source == 'megaface' else member[:-len(suffix)]
        members += [(stem + more, json.dumps(dict(width=1)).encode()) for more in beside]
        placed.append(Placed(source, archive, member, number))
    if source == 'umdfaces':
        members.append(('umdfaces_batch1/umdfaces_batch1_ultraface.csv', b'SUBJECT_ID,FILE\n'))
    write_whole(folder / archive, make(members))
    return placed


def _write_files(folder: Path, source: str, own: Sequence[Tuple[int, tuple]]) -> List[Placed]:
    placed = []
    for number, (suffix, data) in own:
        name = f'{number // 1000 * 1000:05d}/{number:05d}{suffix}'
        write_whole(folder / name, data)
        placed.append(Placed(source, '', name, number))
    return placed


def _write_records(folder: Path, source: str, own: Sequence[Tuple[int, tuple]]) -> List[Placed]:
    data, index = records([image for _, (_, image) in own], [k // 2 for k in range(len(own))])
    write_whole(folder / 'train.rec', data)
    write_whole(folder / 'train.idx', index)
    return [Placed(source, 'train.rec', str(key), number)
            for key, (number, _) in enumerate(own, 1)]


def _write_table(folder: Path, source: str, own: Sequence[Tuple[int, tuple]]) -> List[Placed]:
    name = 'FaceImageCroppedWithAlignment.tsv'
    write_whole(folder / name, table([image for _, (_, image) in own],
                                     [f'm.{k // 2:04x}' for k in range(len(own))]))
    return [Placed(source, name, str(line), number) for line, (number, _) in enumerate(own)]


_WRITERS = dict(ffhq=_write_files, casia=_write_records, msceleb=_write_table)
