# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Bars as HTML: their widths are the probabilities, names are escaped."""

import xml.etree.ElementTree as ET
from base64 import b64decode

from fmae_iat_plugin.visualization.bars import bars_html, wide_image


def test_widths_are_probabilities_in_the_order_of_the_models():
    faces = {2: {12: {'A': (.25, False, None), 'B': (.875, True, None)},
                 24: {'A': None, 'B': (.5, True, None)}},
             0: {12: {'A': (1., True, None), 'B': (0., False, None)},
                 24: {'A': None, 'B': (.1, False, None)}}}
    root = ET.fromstring(f'<div>{bars_html(faces, ["A", "B"])}</div>')
    assert [node.text for node in root.iter('h4')] == ['face 0', 'face 2']
    bars = [(node.get('style'), node.get('class')) for node in root.iter('i')]
    assert bars == [('width: 100.0%', 'present'), ('width: 0.0%', ''), ('width: 10.0%', ''),
                    ('width: 25.0%', ''), ('width: 87.5%', 'present'), ('width: 50.0%', 'present')]
    numbers = [node.text for node in root.iter('output')]
    assert numbers == ['1.00', '0.00', '–', '0.10', '0.25', '0.88', '–', '0.50']
    bold = [node.text for node in root.iter('span') if node.get('class') == 'au-present']
    assert bold == ['AU12 Lip corner puller', 'AU12 Lip corner puller', 'AU24 Lip pressor']


def test_an_intensity_has_the_bar_of_its_scale():
    root = ET.fromstring('<div>' + bars_html({0: {
        4: {'A': (.9, True, 2.), 'B': (.9, True, None)}, 6: {'A': (.1, False, 5.), 'B': None}}},
        ['A', 'B']) + '</div>')
    assert [node.get('style') for node in root.iter('i')] == [
        'width: 40.0%', 'width: 90.0%', 'width: 100.0%']
    assert [node.text for node in root.iter('output')] == ['2.0/5', '0.90', '5.0/5', '–']
    assert [node.get('title') for node in root.iter('i')] == [
        'probability 0.90', 'probability 0.90', 'probability 0.10']


def test_names_of_models_are_escaped_and_no_face_is_said():
    html = bars_html({0: {1: {'<b>': (.5, True, None)}}}, ['<b>'])
    assert '&lt;b&gt;' in html and '<b>' not in html
    assert 'No face was found' in bars_html({}, ['A'])


def test_an_image_is_part_of_the_page():
    image = ET.fromstring(wide_image(b'\x89PNG', 'a "b" <c>')).find('img')
    assert image.get('alt') == 'a "b" <c>'
    kind, data = image.get('src').split(',')
    assert kind == 'data:image/png;base64' and b64decode(data) == b'\x89PNG'
