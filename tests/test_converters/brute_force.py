# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Slow readers of every label format, written again character by character.

Each takes the bytes of a file and returns what stands in it, or None if the file cannot be used.
None inside a row means not coded.
"""

import ast
import gzip
import json
import re
import struct
import zlib

import numpy as np

from fmae_iat_plugin.action_units import ACTION_UNITS


def lines_of(data: bytes):
    """Lines of a text, None if it is none; ``\\n`` and ``\\r\\n`` end a line."""
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError:
        return None
    lines = text.split('\n')
    if lines[-1] == '':
        lines.pop()
    return [line[:-1] if line[-1:] == '\r' else line for line in lines]


def digits(text: str, least: int = 1, most: int = 9) -> bool:
    return least <= len(text) <= most and all(c in '0123456789' for c in text)


def code(cell: str, allowed: str):
    """``'1'`` or ``'1.00'`` -> 1.0 if the digit is allowed; False for anything else."""
    whole, dot, rest = cell.strip().partition('.')
    if len(whole) == 1 and whole in allowed and not rest.strip('0'):
        return float(whole)
    return False


def settle(seen: dict) -> dict:
    """What is said of each key, where all say the same."""
    return {key: found[0] for key, found in seen.items() if found.count(found[0]) == len(found)}


def named_header(cells):
    """(frame column, [(column, AU)]) of BP4D, or None."""
    frames = [i for i, c in enumerate(cells) if c == '0' or 'frame' in c.lower()]
    numbers = {}
    for i, cell in enumerate(cells):
        text = cell.lower()
        text = text[2:] if text.startswith('au') else text
        for end in ('.0', '_c', '_occ'):
            if text.endswith(end) and text != end:
                text = text[:-len(end)]
                break
        if digits(text, most=99) and len(text.lstrip('0')) <= 2:
            numbers[i] = int(text)
    if not frames and 0 not in numbers:
        frames = [0]
    if len(frames) != 1:
        return None
    others = [i for i, c in enumerate(cells) if i != frames[0] and c != ''
              and not c.lower().startswith('unnamed')]
    if any(i not in numbers for i in others):
        return None
    found = [numbers[i] for i in others]
    places = sorted(((i, numbers[i]) for i in others if numbers[i] in ACTION_UNITS),
                    key=lambda pair: pair[1])
    return (frames[0], places) if len(found) == len(set(found)) and places else None


def positional_header(cells):
    """(frame column, [(column, AU)], whether line 1 is data) of BP4D+, or None."""
    order = [1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 27, 28,
             29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39]
    for cell in cells:
        if cell[:2].lower() == 'au' and cell[2:].lstrip()[:1] in tuple('0123456789'):
            named = named_header(cells)
            return named and (*named, False)
    if len(cells) != 35:
        return None
    data = [code(cell, '019') is not False for cell in cells[1:]].count(True) > 17
    return 0, [(i + 1, au) for i, au in enumerate(order)], data


def occurrences(data: bytes, positional: bool):
    """(AUs, {frame: labels}, numbers of the lines that hold something)."""
    lines = lines_of(data)
    if not lines:
        return None
    cells = [cell.strip().strip('"') for cell in lines[0].split(',')]
    header = positional_header(cells) if positional else named_header(cells)
    if header is None:
        return None
    frame_at, places, first_is_data = header if positional else (*header, False)
    seen, held = {}, []
    for number, line in enumerate(lines, 1):
        if (number == 1 and not first_is_data) or not line.strip():
            continue
        held.append(number)
        row = line.split(',')
        if len(row) != len(cells):
            continue
        whole, dot, rest = row[frame_at].strip().partition('.')
        values = [code(row[i], '019') for i, _ in places]
        if digits(whole) and not rest.strip('0') and False not in [v is not False for v in values]:
            seen.setdefault(int(whole), []).append([None if v == 9 else v for v in values])
    return [au for _, au in places], settle(seen), held


def intensities(data: bytes):
    """DISFA: {frame: intensity}, None where the lines of a frame differ."""
    lines = lines_of(data)
    if lines is None:
        return None
    seen = {}
    for line in lines:
        cells = [cell.strip() for cell in line.split(',')]
        if len(cells) == 2 and digits(cells[0]) and int(cells[0]) > 0:
            value = code(cells[1], '012345')
            if value is not False:
                seen.setdefault(int(cells[0]), []).append(value)
    kept = settle(seen)
    return {frame: kept.get(frame) for frame in seen}


def rafdb(data: bytes):
    """{image: label 1..7}."""
    lines = lines_of(data)
    if lines is None:
        return None
    seen = {}
    for line in lines:
        words = line.split()
        if len(words) != 2 or words[1] not in list('1234567'):
            continue
        stem, dot, suffix = words[0].partition('.')
        split, _, number = stem.partition('_')
        if split in ('train', 'test') and digits(number, most=999) and dot and suffix and all(
                c in 'abcdefghijklmnopqrstuvwxyz' for c in suffix.lower()) and suffix.isascii():
            seen.setdefault(words[0], []).append(int(words[1]))
    return settle(seen)


def json_lines(data: bytes, aus):
    """The authors' list of BP4D: [(image, subject, labels)]."""
    lines = lines_of(data)
    if lines is None:
        return None
    rows = []
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if type(entry) is not dict or type(entry.get('img_path')) is not str or \
                type(entry.get('AUs')) is not list:
            continue
        image, active = '/'.join(entry['img_path'].split('\\')), entry['AUs']
        if any(not c.isprintable() for c in image) or image[:1] in ('', '/') or \
                '..' in image.split('/') or image[1:2] not in ('F', 'M') or \
                not digits(image[2:4], 2, 2):
            continue
        if all(type(au) is int for au in active) and all(au == 999 or au in aus for au in active) \
                and all(active.count(au) < 2 for au in aus):
            rows.append((image, image[1] + '0' + image[2:4], [float(au in active) for au in aus]))
    return rows


def npy(data: bytes):
    """The number 0..10 that an .npy file holds."""
    try:
        if data[:6] != b'\x93NUMPY' or len(data) > 4096:
            return None
        version = tuple(data[6:8])
        wide = {(1, 0): 2, (2, 0): 4, (3, 0): 4}[version]
        start = 8 + wide
        size, = struct.unpack('<H' if wide == 2 else '<I', data[8:start])
        if len(data) < start + size:
            return None
        text = data[start:start + size].decode('utf-8' if version[0] == 3 else 'latin1')
        try:
            header = ast.literal_eval(text.strip(' \t\n'))
        except SyntaxError:  # Python 2 wrote long integers as 1L
            header = ast.literal_eval(re.sub(r'(?<=[0-9])\s*L\b', '', text).lstrip(' \t'))
        if sorted(header) != ['descr', 'fortran_order', 'shape'] or \
                type(header['fortran_order']) is not bool or type(header['shape']) is not tuple:
            return None
        if any(not isinstance(n, int) or n != 1 for n in header['shape']):
            return None
        kind = np.dtype(header['descr'])
        value = np.frombuffer(data[start + size:start + size + kind.itemsize], kind)[0].item()
        number = float(str(value))
        return int(number) if number in list(range(11)) else None
    except (ValueError, TypeError, KeyError, IndexError, SyntaxError, SystemError, struct.error,
            OverflowError, MemoryError, RecursionError):
        return None


def csv_rows(text: str):
    """Rows of a CSV; None where a quote is not closed, or something follows a closed one."""
    rows, row, field, state = [], [], '', 'start'
    for c in text if text[-1:] in ('\r', '\n') else text + '\n':  # an empty line is no row
        if state == 'quoted':
            field, state = (field, 'closed') if c == '"' else (field + c, 'quoted')
        elif state == 'closed' and c == '"':
            field, state = field + c, 'quoted'
        elif c in ',\r\n':
            if c == ',' or row or state != 'start':
                row.append(field)
            if c != ',' and row:
                rows.append(row)
                row = []
            field, state = '', 'start'
        elif state == 'closed':
            return None
        elif state == 'start' and c == '"':
            state = 'quoted'
        else:
            field, state = field + c, 'plain'
    return None if state == 'quoted' else rows


def cell(text: str, missing: float):
    """A label 0-5, None = not coded, False = no label."""
    text = text.strip()
    if text.lower() in ('', 'nan', 'na', 'n/a', 'none', 'null'):
        return None
    mantissa, _, exponent = text.lower().partition('e')
    if 'e' in text.lower() and not digits(exponent[1:] if exponent[:1] in ('+', '-') else exponent,
                                          1, 2):
        return False
    whole, dot, rest = (mantissa[1:] if mantissa[:1] in ('+', '-') else mantissa).partition('.')
    if not (digits(whole) and digits(rest, 0, 999)) and not (
            whole == '' and dot and digits(rest, 1, 999)):
        return False
    value = float(text)
    return None if value == missing else value if 0 <= value <= 5 else False


def table(data: bytes, packed: bool, missing: float = 9):
    """Any CSV: (AUs, [(image, labels)], rows that are there)."""
    try:
        text = (gzip.decompress(data) if packed else data).decode('utf-8-sig')
    except (UnicodeDecodeError, OSError, EOFError, zlib.error, struct.error):
        return None
    rows = csv_rows(text)
    if rows is None or len(rows) < 2:
        return None
    header, rows = [name.strip() for name in rows[0]], rows[1:]
    if all(len(row) == len(header) + 1 for row in rows):
        header = ['', *header]
    lower = [name.lower() for name in header]
    names = [name for name in ('image', 'image_path', 'img_path', 'imagepath', 'img', 'path',
                               'file', 'filename', 'file_name', 'input') if name in lower]
    columns = {}
    for i, name in enumerate(lower):
        body, _, kind = name[2:].removeprefix('_').partition('_')
        if name[:2] == 'au' and name.isascii() and digits(body, 1, 99) and \
                (kind in ('r', 'c', 'occ', 'int') or '_' not in name[2:].removeprefix('_')) and \
                len(body.lstrip('0')) <= 2 and int(body) in ACTION_UNITS:
            columns.setdefault(int(body), []).append(i)
    if not names or not columns or any(len(found) > 1 for found in columns.values()):
        return None
    found = []
    for row in rows:
        if len(row) != len(header):
            continue
        image = row[lower.index(names[0])].strip().replace('\\', '/')
        while image[:1] == '/':
            image = image[1:]
        values = [cell(row[columns[au][0]], missing) for au in sorted(columns)]
        if image and '..' not in image.split('/') and not any(v is False for v in values):
            found.append((image, values))
    return sorted(columns), found, len(rows)
