# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Crops at inference: the model's, changed where that was asked for, and what then differs."""

import argparse

import numpy as np
import pytest

from fmae_iat_plugin.faces import CropError, CropOptions, DetectorSpec
from fmae_iat_plugin.faces.crop import crop_face, crop_of_frame, halve
from fmae_iat_plugin.faces.provenance import (
    add_crop_arguments,
    crop_arguments,
    crop_options,
    detector_spec,
    difference,
)
from fmae_iat_plugin.files import file_sha256

NOTE = dict(detector=DetectorSpec(upsample=1).record(), margin=.2, square=True, align=None,
            halve=True, size=64)


def test_the_models_crop_is_the_default_and_single_options_change_it():
    assert crop_options(None, None) == CropOptions(faces='all')
    own = CropOptions(faces='all', margin=.2, square=True, halve=True, size=64)
    assert crop_options(NOTE, None) == own
    assert crop_options(NOTE, None, size=48) == own._replace(size=48)
    assert crop_options(NOTE, dict(halve=False, margin=0.)) == own._replace(halve=False, margin=0.)
    whole = CropOptions(margin=.3)
    assert crop_options(NOTE, whole, size=48) is whole
    # an aligned crop is square by itself, and its margin is part of another square
    assert crop_options(NOTE, dict(align=5)) == CropOptions(faces='all', align=5, halve=True,
                                                            size=64)
    aligned = dict(NOTE, align=68, square=False)
    assert crop_options(aligned, dict(align=0)) == CropOptions(faces='all', halve=True, size=64)


@pytest.mark.parametrize('noted,asked,words', [
    (NOTE, dict(faces='all'), "crop has 'faces'. Remedy: a dict of margin"),
    (dict(margin=99), None, 'margin is 99'), (dict(size='x'), None, 'notes the crop'),
    (dict(align=7), None, 'align is 7')])
def test_values_that_make_no_sense(noted, asked, words):
    with pytest.raises(CropError, match=words):
        crop_options(noted, asked, source='w.pth')


def test_the_detector_is_the_models_where_its_files_are_here(tmp_path):
    assert detector_spec(None) == (DetectorSpec(), '')
    assert detector_spec(NOTE) == (DetectorSpec(upsample=1), '')
    config, weights = tmp_path / 'c.py', tmp_path / 'w.pth'
    config.write_text('a')
    weights.write_text('b')
    spec = DetectorSpec(str(config), str(weights), 'face', .4)
    note = dict(detector=spec.record())
    assert note['detector']['checkpoint_sha256'] == file_sha256(weights)
    assert detector_spec(note, 'cuda:1') == (spec._replace(device='cuda:1'), '')
    weights.write_text('other weights')
    assert detector_spec(note) == (DetectorSpec(), f'checkpoint {weights}')
    assert detector_spec(dict(detector=dict(name='green'))) == (DetectorSpec(), 'its detector')


def test_what_differs_is_said_and_defaults_written_out_do_not_differ():
    crop = crop_options(NOTE, None)
    assert difference(NOTE, NOTE['detector'], crop) == ''
    assert difference(None, 'Blobs', crop) == ''
    assert difference(NOTE, NOTE['detector'], crop._replace(margin=.05, halve=False)) == \
        'margin 0.2 there, 0.05 here; halve True there, False here'
    published = dict(NOTE, margin=None, detector=DetectorSpec(threshold=0.).record())
    assert difference(published, DetectorSpec().record(), crop._replace(margin=.05)) == ''
    assert difference(NOTE, 'Blobs', crop).startswith('detector dlib there, Blobs here')
    assert 'upsample 1 there, 0 here' in difference(NOTE, DetectorSpec().record(), crop)


def test_options_of_the_command_line():
    parser = argparse.ArgumentParser()
    add_crop_arguments(parser)
    assert crop_arguments(parser.parse_args([])) == ()
    given = parser.parse_args('--align 0 --no-square --margin 0.1 --halve'.split())
    assert dict(crop_arguments(given)) == dict(align=0, square=False, margin=.1, halve=True)


def test_a_halved_frame_gives_the_crop_of_half_the_box():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    options = CropOptions(size=16)
    np.testing.assert_array_equal(crop_of_frame(image, (10, 20, 50, 50), options),
                                  crop_face(image, (10, 20, 50, 50), options))
    # each pixel of the halved frame is the mean of four
    small = image.reshape(30, 2, 40, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(halve(image), small, atol=.75)
    np.testing.assert_array_equal(
        crop_of_frame(image, (10, 20, 50, 50), options._replace(halve=True)),
        crop_face(halve(image), (5, 10, 25, 25), options))
