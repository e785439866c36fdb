# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Subject-exclusive folds: the subjects that a fold tests. Folds are data (``protocols/*.json``).

Splitting images instead of subjects puts neighbouring frames of one person on both sides, so no
function here ever sees an image.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from fmae_iat_plugin.action_units import parse_aus

PROTOCOLS = Path(__file__).parent / 'protocols'


def check_whole_number(name: str, value) -> None:
    """Raises ValueError if it is none: a text or a decimal number would fail in the depths."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f'`{name}` is {value!r}, a {type(value).__name__}. Remedy: a whole number '
                         'without quotes, such as 3.')


class Protocol(NamedTuple):
    """An AU set and its folds.

    Attributes:
        name (str): Data set, or the file's name.
        folds (dict[int, tuple[str]]): Fold number (from 1) -> its *test* subjects.
        aus (tuple[int] | None): The AUs that the published tables use.
        intensity_threshold (float | None): Positive when intensity >= this; None = occurrence.
    """

    name: str
    folds: Dict[int, Tuple[str, ...]]
    aus: Optional[Tuple[int, ...]] = None
    intensity_threshold: Optional[float] = None

    @property
    def subjects(self) -> Tuple[str, ...]:
        """All subjects, sorted; the index in here is the ``subject`` of a sample."""
        return tuple(sorted(s for fold in self.folds.values() for s in fold))

    def test_subjects(self, fold: int) -> Tuple[str, ...]:
        """The subjects that fold ``fold`` tests.

        Raises:
            ValueError: If there is no such fold.
        """
        if fold not in self.folds:
            raise ValueError(f'{self.name} has no fold {fold!r}; its folds are '
                             f'{", ".join(map(str, self.folds))}. Remedy: set `fold` to one of '
                             'them.')
        return self.folds[fold]

    def reshuffled(self, seed: int) -> 'Protocol':
        """The same subjects dealt anew at random into folds of the same sizes.

        Repeated splits show how far a result depends on who is tested ("Beyond the Fold", arXiv
        2604.02162, 2026).

        Args:
            seed: Of the draw; 0 leaves the folds as they are.
        """
        if seed == 0:
            return self
        names = np.random.default_rng([seed, 15]).permutation(np.array(self.subjects, dtype=object))
        ends = np.cumsum([len(fold) for fold in self.folds.values()])[:-1]
        return self._replace(name=f'{self.name}, split {seed}', folds={
            key: tuple(sorted(part)) for key, part in zip(self.folds, np.split(names, ends))})

    def held_out_subjects(self, fold: int, number: Union[int, float]) -> Tuple[str, ...]:
        """A fixed draw of training subjects of a fold, to tune thresholds or choose an epoch on.

        Args:
            fold: Number of the fold.
            number: How many; or, between 0 and 1, which share of them: at least one, and at least
                one is left.

        Raises:
            ValueError: If fewer than two would be left to train on (of a share: none), or there is
                no such fold.
        """
        training = sorted(set(self.subjects) - set(self.test_subjects(fold)))
        if 0 < number < 1 and len(training) > 1:
            number = min(max(1, round(number * len(training))), len(training) - 1)
        elif not 0 <= number <= len(training) - 2:
            raise ValueError(f'{number} subjects cannot be held out of the {len(training)} training'
                             f' subjects of fold {fold} of {self.name}. Remedy: set 0 to '
                             f'{max(len(training) - 2, 0)}.')
        drawn = np.random.default_rng(0).permutation(len(training))[:number]
        return tuple(training[k] for k in sorted(drawn))


def make_protocol(name: str, folds: Dict, aus=None, intensity_threshold=None) -> Protocol:
    """Build a protocol and check that its folds share no subject.

    Raises:
        ValueError: If a subject is in two folds or twice in one, or a fold is empty.
    """
    checked, seen = {}, {}
    for key, subjects in folds.items():
        if not str(key).strip().isdigit() or int(key) in checked:
            raise ValueError(f'{name}: fold {key!r} is not a new number. Remedy: number the folds '
                             '1, 2, ..., each once.')
        if not isinstance(subjects, (list, tuple)) or not subjects:
            raise ValueError(f'{name}: fold {key} has no subjects but {subjects!r}. Remedy: list '
                             'its test subjects.')
        wrong = [s for s in subjects if isinstance(s, bool) or not isinstance(s, (str, int))]
        if wrong:
            raise ValueError(f'{name}: fold {key} lists {wrong[0]!r}, which is no name of a '
                             'subject. Remedy: names as the table writes them.')
        subjects = [str(subject).strip() for subject in subjects]
        for subject in subjects:
            if subject in seen:
                raise ValueError(
                    f'{name}: subject {subject!r} is in fold {seen[subject]} and in fold '
                    f'{key}. Remedy: list every subject in exactly one fold; otherwise the model '
                    'is tested on people it was trained on.')
            seen[subject] = key
        checked[int(key)] = tuple(sorted(subjects))
    aus = None if aus is None else parse_aus(aus, f'{name}: `aus`')
    return Protocol(name, checked, aus, intensity_threshold)


def load_protocol(source: Union[str, Path, dict]) -> Protocol:
    """Load a protocol.

    Args:
        source: ``'bp4d'``, ``'bp4dplus'``, ``'disfa'``; or the path of a JSON file
            ``{"folds": {"1": ["S001", ...], ...}}`` with optional ``name``, ``aus`` and
            ``intensity_threshold``; or such a dict.

    Raises:
        FileNotFoundError: If it is neither a known protocol nor a file.
        ValueError: If the file is not JSON, has no ``folds``, or the folds share a subject.
    """
    if isinstance(source, dict):
        data, name = source, source.get('name', 'protocol')
    elif not isinstance(source, (str, Path)):
        raise ValueError(f'protocol is {source!r}, a {type(source).__name__}. Remedy: a name, the '
                         'path of a JSON file, or a dict with `folds`.')
    else:
        path = PROTOCOLS / f'{source}.json'
        path = path if path.is_file() else Path(source)
        if not path.is_file():
            known = ', '.join(sorted(p.stem for p in PROTOCOLS.glob('*.json')))
            raise FileNotFoundError(f'protocol {str(source)!r} is neither one of {known} nor a '
                                    'file. Remedy: name one, or write '
                                    '{"folds": {"1": ["S001"], "2": [...]}} to a JSON file.')
        try:
            data = json.loads(path.read_text(encoding='utf-8-sig'))
        except json.JSONDecodeError as error:
            raise ValueError(f'{path}, line {error.lineno}: not JSON: {error.msg}') from error
        except UnicodeDecodeError as error:
            raise ValueError(f'{path}: not UTF-8 text: {error}. Remedy: save it as UTF-8.'
                             ) from error
        name = data.get('name', path.stem) if isinstance(data, dict) else path.stem
    if not isinstance(data, dict) or not isinstance(data.get('folds'), dict) or not data['folds']:
        raise ValueError(f'protocol {name}: no `folds`. Remedy: ' + '{"folds": {"1": ["S001", ...],'
                         ' "2": [...]}} with the test subjects of each fold.')
    return make_protocol(name, data['folds'], data.get('aus'), data.get('intensity_threshold'))


def split_subjects(subjects: Sequence[str], num_folds: int, name: str = 'table') -> Protocol:
    """Deal the subjects of a table into folds of about equal numbers of frames.

    The result is deterministic. The subjects are sorted by falling number of frames (ties by name),
    and each goes to the fold with the fewest frames so far (ties to the lowest fold).

    Args:
        subjects: ``[N]`` subject of each frame, '' = unknown (left out).
        num_folds: Number of folds, at least 2.

    Raises:
        ValueError: If there are fewer subjects than folds, or fewer than two folds.
    """
    check_whole_number('folds', num_folds)
    frames = Counter(s for s in subjects if s)
    if not 2 <= num_folds <= len(frames):
        raise ValueError(f'cannot deal {len(frames)} subjects of {name} into {num_folds} folds. '
                         f'Remedy: choose `folds` between 2 and {max(2, len(frames))}.')
    folds = {k: [] for k in range(1, num_folds + 1)}
    load = dict.fromkeys(folds, 0)
    for subject, count in sorted(frames.items(), key=lambda item: (-item[1], item[0])):
        lightest = min(load, key=lambda k: (load[k], k))
        folds[lightest].append(subject)
        load[lightest] += count
    return make_protocol(name, folds)
