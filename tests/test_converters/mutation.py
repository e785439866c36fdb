# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files that were right, and then were edited; ``FMAE_FUZZ=10000`` tries so many of each."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

fuzzed = settings(max_examples=int(os.environ.get('FMAE_FUZZ', 300)), deadline=None,
                  suppress_health_check=list(HealthCheck))

NOISE = [b'', b'\n', b'\r', b'\r\n', b',', b' ', b'"', b'9', b'1', b'.', b'.0', b'-', b'_', b'0',
         b'x', b'\x00', b'\xff', b'\xef\xbb\xbf', '²'.encode(), '٣'.encode(), b'\xc2\x85', b'\x1c']

BYTES = [bytes([b]) for b in b'0123456789 .,\'"()<>|=-_iufUSAx\n\r\x00\xc2']


@st.composite
def mutated(draw, files, noise=(), kinds='aaabbcdefggg', most=4):
    """Bytes of a valid file after some edits: replaced, repeated, moved or cut."""
    data = draw(files)
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 6)))
        kind = draw(st.sampled_from(kinds))
        if kind == 'a':
            data = data[:start] + draw(st.sampled_from([*NOISE, *noise])) + data[end:]
        elif kind == 'b':
            data = data[:start] + draw(st.binary(max_size=2)) + data[end:]
        elif kind == 'g' and data:  # one byte, in its place
            place = min(start, len(data) - 1)
            data = data[:place] + draw(st.sampled_from(BYTES)) + data[place + 1:]
        elif kind == 'c':  # a line, or what is between two
            lines = data.split(b'\n')
            line = draw(st.integers(0, len(lines) - 1))
            lines.insert(draw(st.integers(0, len(lines))), lines[line])
            data = b'\n'.join(lines)
        elif kind == 'd':
            data = data[:start] + data[end:]
        elif kind == 'e':
            data = data[:start] + 2 * data[start:end] + data[end:]
        elif kind == 'f':
            data = data[:start]
    return data


@st.composite
def rows_of(draw, headers, row, most=6, ends=('\n', '\r\n')):
    """A text of a header (None = none) and rows, which ``row`` gives by the header."""
    header = draw(st.sampled_from(headers))
    lines = draw(st.lists(row(header), max_size=most))
    text = draw(st.sampled_from(ends)).join([*([header] if header else []), *lines])
    return (text + draw(st.sampled_from(['', '\n']))).encode()
