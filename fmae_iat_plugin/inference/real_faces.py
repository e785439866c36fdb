# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How good a model is on labelled photos, predicted as a user predicts them.

The photos go through ``tools/predict.py`` itself, once for each way to find the faces, and its JSON
lines are compared with the labels. A photo without a found face is a miss: it is counted, and the
scores are over the others; one more mean counts it as a photo without any action unit, as its empty
row would be read. Nothing is fitted on these labels, and thresholds are not tuned on them.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from rich.console import Console
from rich.table import Table

from fmae_iat_plugin.action_units import au_name
from fmae_iat_plugin.datasets.annotation import AnnotationTable, read_annotation
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.evaluation.calibration import calibration
from fmae_iat_plugin.evaluation.intensity_scores import agreement
from fmae_iat_plugin.evaluation.scores import f1_from_counts, roc_auc, threshold_counts
from fmae_iat_plugin.files import without_nan, write_whole

from .default_model import default_model, describe
from .onnx_backend import read_metadata
from .predict import main as predict_main

#: the action units whose mean is reported beside that of all
CORE = (1, 2, 4, 6, 7, 9, 12, 15, 17, 25)
TABLES = ('annotation.csv', 'annotations.csv', 'labels.csv')
#: columns of the tables: key -> heading
COLUMNS = dict(auc='AUC', f1='F1@0.5', f1_own="F1, model's thresholds",
               f1_all_present='F1, all present', ece='ECE')
ICC = dict(icc='ICC(3,1)')  #: of intensities, where labels and model have them


class Predicted(NamedTuple):
    """What one way to find the faces gives for N photos.

    Attributes:
        aus (tuple): Numbers of the model's C action units.
        scores (np.ndarray): ``[N, C]`` probabilities, NaN where no face was found.
        present (np.ndarray): ``[N, C]`` bool, by the model's thresholds.
        intensities (np.ndarray, optional): ``[N, C]`` 0 to 5, NaN where the model gives none.
    """

    aus: Tuple[int, ...]
    scores: np.ndarray
    present: np.ndarray
    intensities: Optional[np.ndarray] = None

    @property
    def found(self) -> np.ndarray:
        """``[N]`` whether a face was found."""
        return ~np.isnan(self.scores).any(axis=1)


def croppings(mmdet: Optional[str] = None,
              mmdet_weights: Optional[str] = None) -> Dict[str, Tuple[str, ...]]:
    """Name -> options of ``tools/predict.py``: the photos as they are, dlib, and mmdet where its
    config and weights are given."""
    ways: Dict[str, Tuple[str, ...]] = {'as is': ('--detector', 'none'),
                                        'dlib': ('--detector', 'dlib')}
    if mmdet is not None:
        ways['mmdet'] = ('--detector', mmdet, '--detector-weights', str(mmdet_weights))
    return ways


def read_photos(folder: Union[str, Path]) -> Tuple[AnnotationTable, List[Path]]:
    """The labels of a folder and its photos, in the order of the table.

    Args:
        folder: Holds ``annotation.csv``, ``annotations.csv`` or ``labels.csv``, an annotation table
            whose images are below the folder.

    Raises:
        FileNotFoundError: If the table or an image is missing.
        AnnotationError: If the table breaks the format.
    """
    found = [Path(folder, name) for name in TABLES if Path(folder, name).is_file()]
    if not found:
        raise FileNotFoundError(f'{folder} holds neither {" nor ".join(TABLES)}. Remedy: a folder '
                                'with an annotation table and its images.')
    table = read_annotation(found[0])
    paths = [Path(folder, image) for image in table.images]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(f'{len(missing)} of {len(paths)} images of {table.path} are '
                                f'missing, first {missing[0]}.')
    return table, paths


def predict_photos(paths: Sequence[Path], options: Sequence[str]) -> Predicted:
    """Predict photos with ``tools/predict.py``; of several faces the largest counts.

    Args:
        paths: N photos.
        options: More of its arguments, such as ``['--detector', 'none']``.

    Raises:
        ValueError: If it fails; it has said why.
    """
    with tempfile.TemporaryDirectory(prefix='fmae_iat_real_') as folder:
        with contextlib.redirect_stdout(io.StringIO()):  # the tables of single faces
            code = predict_main([*map(str, paths), *options, '--format', 'json', '--out-dir',
                                 folder])
        if code not in (0, 1):
            raise ValueError(f'tools/predict.py {" ".join(options)} ended with code {code}.')
        lines = Path(folder, 'predictions.jsonl').read_text(encoding='utf-8').splitlines()
    largest: Dict[str, dict] = {}
    for row in map(json.loads, lines):
        if row['success'] and _area(row) > _area(largest.get(row['input'])):
            largest[row['input']] = row
    if not largest:
        raise ValueError('no face was found in any photo.')
    aus = tuple(int(name[2:]) for name in next(iter(largest.values()))['aus'])
    scores = np.full((len(paths), len(aus)), np.nan)
    present, intensities = np.zeros(scores.shape, dtype=bool), np.full(scores.shape, np.nan)
    for number, path in enumerate(paths):
        if str(path) in largest:
            cells = largest[str(path)]['aus'].values()
            scores[number] = [cell['probability'] for cell in cells]
            present[number] = [cell['present'] for cell in cells]
            intensities[number] = [cell.get('intensity', np.nan) for cell in cells]
    return Predicted(aus, scores, present, intensities)


def _area(row: Optional[dict]) -> float:
    if row is None:
        return 0.
    x1, y1, x2, y2 = row['box']
    return (x2 - x1) * (y2 - y1)


def compare(predicted: Predicted, table: AnnotationTable, positive: float = 1.) -> dict:
    """Scores of one way to find the faces.

    Args:
        predicted: Of the table's N photos.
        table: Labels.
        positive: A label is positive from here on; 1 of occurrences, 2 of intensities as DISFA's.

    Returns:
        dict: ``photos``, ``missed`` (numbers), ``aus`` (AU name -> ``auc``, ``f1``, ``f1_own``,
        ``f1_all_present`` in percent, ``ece`` in 0..1, ``positive``, ``negative``; of labels
        above 1, which are intensities, also ``icc``, ICC(3,1) in -1..1), ``core`` and ``all``
        (means over :data:`CORE` and over all), ``all_missed_absent`` (means over all where a miss
        counts as probability 0). NaN = undefined.

    Raises:
        ValueError: If model and table share no action unit.
    """
    aus = [au for au in predicted.aus if au in table.aus]
    if not aus:
        raise ValueError(f'{table.path} has {", ".join(map(au_name, table.aus))}, the model '
                         f'{", ".join(map(au_name, predicted.aus))}: none in common.')
    columns = [predicted.aus.index(au) for au in aus]
    values = table.select(aus)
    labels = np.where(np.isnan(values), np.nan, values >= positive)
    found = predicted.found
    own = predicted.present[:, columns].astype(float)
    scores = predicted.scores[:, columns]
    each = _each(aus, scores[found], own[found], labels[found])
    every = _each(aus, np.nan_to_num(scores), own, labels)
    if predicted.intensities is not None and np.nanmax(values, initial=0) > 1:
        for k, au in enumerate(aus):
            graded, coded = predicted.intensities[found, columns[k]], values[found, k]
            if not np.isnan(graded).any():
                each[au_name(au)]['icc'] = agreement(graded, coded)['icc']
    return dict(photos=len(found), missed=int((~found).sum()), aus=each,
                core=_mean([each[au_name(au)] for au in CORE if au in aus]),
                all=_mean(list(each.values())), all_missed_absent=_mean(list(every.values())))


def _each(aus: Sequence[int], scores: np.ndarray, own: np.ndarray, labels: np.ndarray) -> dict:
    """AU name -> its numbers."""
    auc = 100 * roc_auc(scores, labels)
    half, thresholds = np.full((1, len(aus)), .5), np.full((1, len(aus)), .5)
    f1, f1_own, everything = (
        100 * f1_from_counts(threshold_counts(values, labels, at))[0]
        for values, at in ((scores, half), (own, thresholds), (np.ones_like(scores), half)))
    return {au_name(au): dict(
        auc=float(auc[k]), f1=float(f1[k]), f1_own=float(f1_own[k]),
        f1_all_present=float(everything[k]),
        ece=calibration(scores[:, [k]], labels[:, [k]]).error,
        positive=int((labels[:, k] == 1).sum()), negative=int((labels[:, k] == 0).sum()))
        for k, au in enumerate(aus)}


def _columns(rows: Sequence[dict]) -> Dict[str, str]:
    """:data:`COLUMNS`, and :data:`ICC` where a row has it."""
    return {**COLUMNS, **(ICC if any('icc' in row for row in rows) else {})}


def _mean(rows: Sequence[dict]) -> dict:
    """Mean of each number over the action units where it is defined."""
    found = {}
    for key in _columns(rows):
        values = [row[key] for row in rows if not np.isnan(row.get(key, np.nan))]
        found[key] = float(np.mean(values)) if values else float('nan')
    return found


def measure(folder: Union[str, Path], options: Sequence[str], ways: Dict[str, Tuple[str, ...]],
            positive: float = 1.) -> dict:
    """Predict the photos of a folder in several ways, and compare them with their labels.

    Args:
        folder: See :func:`read_photos`.
        options: Arguments of ``tools/predict.py`` for all ways, such as the model.
        ways: See :func:`croppings`.
        positive: See :func:`compare`.

    Returns:
        dict: ``folder``, ``photos``, ``subjects`` and ``croppings``: name -> :func:`compare`.

    Raises:
        FileNotFoundError, ValueError: See the functions above.
    """
    table, paths = read_photos(folder)
    return dict(folder=str(folder), photos=len(paths), subjects=len(set(table.subjects) - {''}),
                croppings={name: compare(predict_photos(paths, [*options, *way]), table, positive)
                           for name, way in ways.items()})


def tables(result: dict) -> List[Table]:
    """Of each cropping its action units, and a table of the means."""
    found = []
    for name, scores in result['croppings'].items():
        table = Table(title=f'{name}: {scores["photos"] - scores["missed"]} faces, '
                      f'{scores["missed"]} photos without a found face', title_justify='left')
        columns = _columns([scores['all']])
        for heading in ('AU', 'positive', *columns.values()):
            table.add_column(heading, justify='left' if heading == 'AU' else 'right')
        for au, row in scores['aus'].items():
            table.add_row(au, f'{row["positive"]}/{row["positive"] + row["negative"]}',
                          *_cells(row, columns))
        found.append(table)
    means = Table(title='means', title_justify='left')
    columns = _columns([scores['all'] for scores in result['croppings'].values()])
    for heading in ('cropping', 'over', *columns.values()):
        means.add_column(heading, justify='left' if heading in ('cropping', 'over') else 'right')
    over = dict(core=f'AU {", ".join(map(str, CORE))}', all='all',
                all_missed_absent='all, a miss is absent')
    for name, scores in result['croppings'].items():
        for key, words in over.items():
            means.add_row(name, words, *_cells(scores[key], columns))
    for key in ('core', 'all'):
        scores = next(iter(result['croppings'].values()))[key]
        means.add_row('present everywhere', over[key], '50.0', f'{scores["f1_all_present"]:.1f}',
                      f'{scores["f1_all_present"]:.1f}', f'{scores["f1_all_present"]:.1f}', '')
    return [*found, means]


def _cells(row: dict, columns: Dict[str, str]) -> List[str]:
    return ['' if key not in row else 'undefined' if np.isnan(row[key])
            else f'{row[key]:.3f}' if key in ('ece', 'icc') else f'{row[key]:.1f}'
            for key in columns]


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code: 0, or 2 (an error)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--real', required=True, metavar='FOLDER', help='labels.csv, '
                        'annotations.csv or annotation.csv, and the images it names')
    parser.add_argument('--model', help='config, .onnx file or name of the model zoo; default: '
                        'that of the package')
    parser.add_argument('--weights', help='checkpoint of that config')
    parser.add_argument('--mmdet', metavar='CONFIG', help='find faces with this detector, too')
    parser.add_argument('--mmdet-weights', metavar='FILE')
    parser.add_argument('--positive-from', type=float, default=1., metavar='LABEL',
                        help='a label counts as positive from here on (default: 1; of intensities '
                        '2)')
    parser.add_argument('--out', metavar='FILE.json', help='write the numbers there')
    args = parser.parse_args(arguments)
    if (args.mmdet is None) != (args.mmdet_weights is None):
        parser.error('--mmdet and --mmdet-weights go together')
    options = [text for name in ('model', 'weights') if getattr(args, name) is not None
               for text in (f'--{name}', getattr(args, name))]
    try:
        result = measure(args.real, options, croppings(args.mmdet, args.mmdet_weights),
                         args.positive_from)
        if args.model is None:
            result['model'] = describe(read_metadata(default_model()))
        else:
            result['model'] = ' '.join(filter(None, (args.model, args.weights)))
        console = Console(file=sys.stdout, highlight=False,
                          width=None if sys.stdout.isatty() else 120)
        console.print(f'{result["model"]}\n{result["photos"]} photos of {result["subjects"]} '
                      f'people, {result["folder"]}', soft_wrap=True)
        for table in tables(result):
            console.print(table)
        if args.out is not None:
            write_whole(Path(args.out), json.dumps(without_nan(result), indent=1).encode())
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    return 0


if __name__ == '__main__':
    sys.exit(main())
