# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""BP4D+: labels by position, pictures from folders or videos."""

from small_releases import Result, write_picture, write_text, write_video

from fmae_iat_plugin.converters import Options, convert_bp4dplus

ORDER = [1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 27, 28, 29,
         30, 31, 32, 33, 34, 35, 36, 37, 38, 39]


def line(frame, **aus):
    cells = ['0'] * 34
    for name, value in aus.items():
        cells[ORDER.index(int(name[2:]))] = str(value)
    return ','.join([str(frame), *cells])


def test_positions_whatever_the_header_says(tmp_path):
    release = tmp_path / 'release'
    bad_header = ','.join(['1', *map(str, ORDER)])
    write_text(release / 'AUCoding/AU_OCC/F001_T1.csv', bad_header, line(2, AU4=1, AU24=9),
               line(1, AU39=1))
    write_text(release / 'AUCoding/AU_OCC/M058_T8.csv', ','.join(map(str, range(35))),
               line(1, AU6=1))
    write_video(release / 'videos/F001_T1.mp4', 2)
    write_picture(release / 'images/M058/T8/0001.jpg', 1)
    write_video(release / 'videos/2F01_03.avi', 2)  # BP4D's numbers mean nothing here
    summary = convert_bp4dplus(str(release), str(tmp_path / 'out'), Options(image_format='png'))
    got = Result(tmp_path / 'out')
    assert got.rows(4, 6, 24, 39) == [
        ('F001', 'T1', '1', 0.0, 0.0, 0.0, 1.0), ('F001', 'T1', '2', 1.0, 0.0, None, 0.0),
        ('M058', 'T8', '1', 0.0, 1.0, 0.0, 0.0)]
    assert got.pictured() == [1, 2, 1] and got.skipped == []
    assert got.table.aus == tuple(ORDER)
    assert summary['not_compared_because'] == 'no published prevalence for this data set'
    assert summary['folds']['3'] == dict(subjects=1, frames=2)
