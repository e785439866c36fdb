# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The report as one self-contained HTML file, without scripts, network or other files."""

import base64
import io
import json
import math
import os
import re
from pathlib import Path
from typing import List, Mapping, Union

from PIL import Image

from fmae_iat_plugin.evaluation.claims import signed
from fmae_iat_plugin.files import without_nan, write_whole

Figures = Mapping[str, Union[str, List[str]]]

TEMPLATES = Path(__file__).parent / 'templates'

#: a text in quotes, as in the text of a config
_QUOTED = re.compile(r'''(['"])([^'"\n]*)\1''')


def data_uri(path: Union[str, Path], side: int = 160) -> str:
    """An image as ``data:`` URI with at most ``side`` pixels; small images are not enlarged.

    Raises:
        OSError: If the image is missing or unreadable.
    """
    with Image.open(path) as image:
        image = image.convert('RGB')
        image.thumbnail((side, side))
        stream = io.BytesIO()
        image.save(stream, 'JPEG', quality=90)
    return 'data:image/jpeg;base64,' + base64.b64encode(stream.getvalue()).decode()


def _number(value, digits: int = 1) -> str:
    """A number of the page, or a dash if it is undefined."""
    if value is None or math.isnan(value):
        return '–'
    return f'{value:.{digits}f}'


def _signed(value, digits: int = 1) -> str:
    """A difference of the page."""
    return '–' if value is None or math.isnan(value) else signed(value, digits)


def render_report(report: Mapping, figures: Figures, thumbnails: Mapping[str, str],
                  template: str = 'report.html') -> str:
    """The page.

    Args:
        report: The dict that is also written as ``report.json``.
        figures: See :func:`fmae_iat_plugin.experiments.report_figures.figures`.
        thumbnails: Path of each sample -> ``data:`` URI.
        template: A file of the package's ``visualization/templates``.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(number=_number, signed=_signed)
    safe = {key: [Markup(svg) for svg in value] if isinstance(value, list) else Markup(value)
            for key, value in figures.items()}  # our own SVG, labels escaped by to_svg
    return environment.get_template(template).render(report=report, figures=safe,
                                                     thumbnails=thumbnails)


def check_page(path: Path) -> None:
    """Raise ValueError if ``path`` does not end in ``.html``; the numbers use another suffix."""
    if path.suffix != '.html':
        raise ValueError(f'{path} does not end in .html. Remedy: name an .html file.')


def relative_paths(value, folder: Union[str, Path]):
    """The same with every absolute path relative to a folder, also within the text of a config.

    A report is handed on; where its maker's home is concerns nobody, and helps nobody to find the
    files.

    Args:
        value: Of dicts, lists and plain values.
        folder: What the paths shall be relative to.
    """
    if isinstance(value, Mapping):
        return {key: relative_paths(item, folder) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [relative_paths(item, folder) for item in value]
    if not isinstance(value, str):
        return value
    if os.path.isabs(value) and '\n' not in value:
        return os.path.relpath(value, os.path.abspath(folder))
    return _QUOTED.sub(lambda found: found[1] + (
        os.path.relpath(found[2], os.path.abspath(folder)) if os.path.isabs(found[2]) else found[2]
    ) + found[1], value)


def write_report(path: Union[str, Path], report: Mapping, figures: Figures) -> Path:
    """Write the page and, beside it, the numbers with the suffix ``.json``.

    Paths in both are relative to the folder of the page.

    Args:
        path: The HTML file.
        report: See :func:`fmae_iat_plugin.experiments.report.build`; its ``samples`` name images
            that exist.
        figures: See :func:`render_report`.

    Returns:
        Path: The HTML file.

    Raises:
        ValueError: If ``path`` does not end in ``.html``.
    """
    path = Path(path)
    check_page(path)
    images = [data_uri(sample['path']) for sample in report['samples']]
    report = relative_paths(report, path.parent)
    thumbnails = {sample['path']: image for sample, image in zip(report['samples'], images)}
    page = render_report(report, figures, thumbnails)
    write_whole(path.with_suffix('.json'), json.dumps(without_nan(report), indent=1,
                                                      allow_nan=False).encode())
    write_whole(path, page.encode())
    return path
