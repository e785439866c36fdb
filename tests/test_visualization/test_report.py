# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The page says what the dict says, escapes what it is given, and carries its pictures."""

import base64
import copy
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.visualization import write_report
from fmae_iat_plugin.visualization.report import data_uri

pytest.importorskip('jinja2', reason="needs the extra 'analysis'")


def probe(accuracy):
    return dict(accuracy=accuracy, interval=[accuracy - 3.0, accuracy + 3.0], subjects=[accuracy])


def identity(accuracy):
    return dict(logistic=probe(accuracy), paper={**probe(accuracy / 2), 'epochs': [1.0, 2.0]},
                chance=4.2, num_subjects=24, train=70, test=30, left_out={5: 12},
                purity=accuracy - 20, purity_chance=4.0)


@pytest.fixture
def report(tmp_path):
    image = tmp_path / 'face & <b>.png'
    Image.new('RGB', (200, 100), (10, 200, 30)).save(image)
    f1 = {name: dict(mean=value, interval=[value - 4, value + 4], auc=80.5,
                     aus={'AU1': value, 'AU12': float('nan') if name == 'plain' else 71.25})
          for name, value in (('plain', 51.23), ('ours', 57.89))}
    return dict(
        title='Title <i>', summary='Summary & co', caveat='Caveat', base='plain', ours='ours',
        aus={'AU1': 'Inner brow raiser', 'AU12': 'Lip corner puller'},
        claims=[dict(claim='Claim one', verdict='reproduced', sentence='Sentence one'),
                dict(claim='Claim two', verdict='not reproduced', sentence='Sentence two'),
                dict(claim='Claim three', verdict='not enough data', sentence='Sentence 3')],
        f1=f1, paper_f1={name: dict(mean=60.12, epoch=3, threshold=0.4,
                                    aus={'AU1': 61.0, 'AU12': 59.24}) for name in f1},
        identity=dict(plain=identity(93.4), ours=identity(41.6)),
        curves={name: [[1, 2], [40.0, 50.0]] for name in f1},
        samples=[dict(path=str(image), subject='S003', truth=[1, None],
                      scores={name: [0.75, 0.125] for name in f1})],
        setup={'Seed': '0'}, configs={'plain': 'lr = <1>'}, versions={'torch': '2.10'})


FIGURES = dict(tsne=['<svg id="one"/>', '<svg id="two"/>'], f1='<svg id="f1"/>',
               probe='<svg id="probe"/>')


def test_the_page_shows_the_numbers_and_escapes_the_texts(report, tmp_path):
    html = write_report(tmp_path, report, FIGURES).read_text(encoding='utf-8')
    for shown in ('51.2', '57.9', '71.2', '60.1', '93.4 %', '41.6 %', '4.2 %', '73.4 %', '21.6 %',
                  'Inner brow raiser', 'Sentence two', 'S003', 'Title &lt;i&gt;',
                  'Summary &amp; co',
                  'lr = &lt;1&gt;', '✓ reproduced', '✗ not reproduced', '? not enough data'):
        assert shown in html, shown
    assert '–' in html  # an AU without positives has no F1
    assert '<b>.png' not in html
    for svg in ('one', 'two', 'f1', 'probe'):
        assert html.count(f'<svg id="{svg}"/>') == 1


def test_the_bars_are_as_long_as_the_numbers(report, tmp_path):
    html = write_report(tmp_path, report, FIGURES).read_text(encoding='utf-8')
    widths = [float(width) for width in re.findall(r'<i style="width:([0-9.]+)%"></i>\s*<span',
                                                   html)]
    assert widths == [93.4, 41.6, 46.7, 20.8]


def test_the_picture_in_the_page_is_the_sample(report, tmp_path):
    html = write_report(tmp_path, report, FIGURES).read_text(encoding='utf-8')
    data = re.search(r'src="data:image/jpeg;base64,([^"]+)"', html).group(1)
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (160, 80)
        assert np.abs(np.asarray(image, int) - (10, 200, 30)).max() <= 4


def test_the_json_is_the_dict_and_undefined_numbers_are_null(report, tmp_path):
    report['f1']['plain']['mean'] = float('nan')
    write_report(tmp_path, report, FIGURES)
    expected = copy.deepcopy(report)
    expected['f1']['plain']['mean'] = expected['f1']['plain']['aus']['AU12'] = None
    for name in ('plain', 'ours'):
        expected['identity'][name]['left_out'] = {'5': 12}
    assert json.loads((tmp_path / 'report.json').read_text()) == expected


def test_a_missing_sample_writes_no_page(report, tmp_path):
    report['samples'][0]['path'] = str(tmp_path / 'gone.png')
    with pytest.raises(FileNotFoundError, match='gone.png'):
        write_report(tmp_path / 'out', report, FIGURES)
    assert not (tmp_path / 'out' / 'report.html').exists()


def test_small_pictures_are_not_enlarged(tmp_path):
    Image.new('L', (30, 20)).save(tmp_path / 'small.png')
    data = base64.b64decode(data_uri(tmp_path / 'small.png').partition(',')[2])
    assert Image.open(io.BytesIO(data)).size == (30, 20)
