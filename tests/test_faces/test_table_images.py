# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Where a table's images are, and which follow each other."""

import pytest

from fmae_iat_plugin.datasets import AnnotationError
from fmae_iat_plugin.datasets.annotation import read_annotation
from fmae_iat_plugin.faces import CropError
from fmae_iat_plugin.faces.table_images import find_images, sequences


@pytest.mark.parametrize('folder', ['', 'faces', 'images'])
def test_images_are_found_beside_the_table(face_table, folder):
    root = face_table(['a.png,P,1,0'])
    if folder:
        (root / folder).mkdir()
        (root / 'a.png').rename(root / folder / 'a.png')
    for table in (root, root / 'annotation.csv'):
        assert find_images(table).folder == root / folder
    assert find_images(root, str(root / folder)).folder == root / folder


def test_missing_images_in_words(face_table):
    root = face_table(['a.png,P,1,0'], images=False)
    with pytest.raises(CropError, match="line 2: the image 'a.png' is not in .*--images"):
        find_images(root)
    with pytest.raises(FileNotFoundError):
        find_images(root / 'none.csv')
    (root / 'annotation.csv').write_text('image\n')
    with pytest.raises(AnnotationError):
        find_images(root)


def test_sequences_are_in_the_order_of_time(face_table):
    root = face_table(['c,P,1,T1,10', 'a,P,1,T1,9', 'b,P,1,T2,1', 'd,Q,1,T1,2', 'e,Q,1,T1,1'],
                      header='image,subject,AU1,sequence,frame', images=False)
    assert sequences(read_annotation(root / 'annotation.csv')) == {
        'P/T1': [1, 0], 'P/T2': [2], 'Q/T1': [4, 3]}


def test_without_sequences_in_words(face_table):
    root = face_table(['a,P,1,0'], images=False)
    with pytest.raises(CropError, match='needs the column .sequence.*Remedy'):
        sequences(read_annotation(root / 'annotation.csv'))
