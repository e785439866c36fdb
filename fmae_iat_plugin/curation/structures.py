# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the files of the curation hand to each other: options, members, parts, rejects, errors."""

from typing import TYPE_CHECKING, NamedTuple, Optional, Tuple

if TYPE_CHECKING:  # importing it takes seconds
    from fmae_iat_plugin.faces import DetectorSpec

#: why something of a source is not in the shards; the fixed phrases of the list of rejects
NOT_IMAGE = 'not an image'
NOT_READ = 'an archive of a kind that is not read'
UNREADABLE = 'unreadable'
SMALL = 'side too short'
ASPECT = 'aspect ratio'
FACELESS = 'no face found'
DUPLICATE = 'near-duplicate'
OF_TEST_SET = 'near-duplicate of the test set'
RULES = (NOT_IMAGE, NOT_READ, UNREADABLE, SMALL, ASPECT, FACELESS, OF_TEST_SET, DUPLICATE)


class CurationError(ValueError):
    """A collection cannot be curated; the message names the value and the remedy."""


class Source(NamedTuple):
    """One source of a collection.

    Attributes:
        name (str): Begins the names of its images in the shards, such as ``celeba``.
        path (str): A folder, or one archive.
    """

    name: str
    path: str


class Options(NamedTuple):
    """The rules; the defaults are those of the FMAE paper, Section 3.1.

    Attributes:
        size (int): Side of the images in the shards, in pixels.
        quality (int): Of the JPEG files, 1-100. The paper does not say.
        max_aspect (float): Images whose longer side is more than this times the shorter are left
            out.
        min_side (int): Images with a shorter side, in pixels, are left out. The paper has no such
            rule; the authors' released code has 224.
        shard_images (int): Images of a source that are looked at for one shard.
        detector (DetectorSpec, optional): Of a face; images in which it finds no face are left out.
        duplicates (bool): Of near-duplicates, within and across sources, only the first is kept.
        test_sets (tuple[str]): Folders or archives; images that are near-duplicates of one of
            theirs are left out.
        distance (int): How many of the 256 bits of the perceptual hashes of near-duplicates may
            differ, 0-31.
    """

    size: int = 224
    quality: int = 90
    max_aspect: float = 1.5
    min_side: int = 1
    shard_images: int = 10000
    detector: 'Optional[DetectorSpec]' = None
    duplicates: bool = False
    test_sets: Tuple[str, ...] = ()
    distance: int = 10

    @property
    def hashes(self) -> bool:
        """Whether perceptual hashes are needed."""
        return self.duplicates or bool(self.test_sets)

    def check(self) -> None:
        """Raises CurationError if a value is out of range."""
        for name, low, high in (('size', 8, 4096), ('quality', 1, 100), ('max_aspect', 1, 1000),
                                ('min_side', 1, 100000), ('shard_images', 1, 10**6),
                                ('distance', 0, 31)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise CurationError(f'{name} is {value}. Remedy: choose {low} to {high}.')

    def record(self) -> dict:
        """What shapes the result, as JSON can hold it."""
        return dict(self._asdict(), test_sets=list(self.test_sets),
                    detector=self.detector and self.detector.record())


class Member(NamedTuple):
    """An image of a source, or what may be one.

    Attributes:
        name (str): Path in its container; in record files a number until it is read.
        offset (int): Where it is: in bytes, or a place in a table of contents; -1 = a file.
        size (int): In bytes; 0 where it is not known before it is read.
    """

    name: str
    offset: int = -1
    size: int = 0


class Reject(NamedTuple):
    """One row of the list of what is not in the shards.

    Attributes:
        source (str): Name of the source.
        member (str): Path below the source's; the container for what is counted together.
        rule (str): One of :data:`RULES`.
        detail (str): The value found.
        number (int): How many files or members this row stands for.
    """

    source: str
    member: str
    rule: str
    detail: str = ''
    number: int = 1


class Container(NamedTuple):
    """A folder of image files, or an archive.

    Attributes:
        source (str): Name of the source.
        number (int): Place among the containers of all sources.
        kind (str): One of :data:`.containers.KINDS`.
        path (str): Of the folder or archive.
        label (str): Path below the source's; '' if it is all of it.
    """

    source: str
    number: int
    kind: str
    path: str
    label: str


class Part(NamedTuple):
    """Consecutive members of a container, which make one shard.

    Attributes:
        container (Container): Whose.
        number (int): Place among its parts.
    """

    container: Container
    number: int

    @property
    def name(self) -> str:
        """Of its files while the work lasts."""
        return f'{self.container.number:05d}-{self.number:06d}'
