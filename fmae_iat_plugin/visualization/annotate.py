# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Pictures of predictions: boxes on the frame, and beside it a bar for every action unit of a face.

In a video, a sparkline beside each bar shows its length over the last seconds. It is
interrupted where the face was not found. Where a model gives an intensity, the bar shows that, from
0 to 5, and its colour whether the action unit is present.
"""

from collections import deque
from functools import lru_cache
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fmae_iat_plugin.action_units import ACTION_UNITS, au_name

from .style import PALETTE

MAX_SIDE = 4096  #: larger frames are drawn smaller


def _bgr(colour: str) -> Tuple[int, int, int]:
    blue, green, red = (int(colour[k:k + 2], 16) for k in (5, 3, 1))
    return blue, green, red


PRESENT, ABSENT = _bgr('#0072B2'), _bgr('#9A9A9A')  #: colours of bars
TRACK, INK, FAINT, PAPER = _bgr('#E6E6E6'), _bgr('#111111'), _bgr('#5A5A5A'), (255, 255, 255)


def face_colour(face_id: int) -> Tuple[int, int, int]:
    """B, G, R of a face's box and heading."""
    return _bgr(PALETTE[face_id % len(PALETTE)])


class Layout(NamedTuple):
    """The layout of a picture, in pixels.

    Attributes:
        line (int): Height of a line of text; at least 16.
        label, bar, value, spark (int): Widths within a block, from left to right.
        block (int): Height of a face's block: a heading and a line for each action unit.
        across, down (int): Numbers of blocks beside and below each other.
        width, height (int): Size of the picture; even, because videos need that.
        left (int): Left edge of the blocks, which is the width of the frame.
        scale (float): Scale of the frame; 1 up to :data:`MAX_SIDE`.
    """

    line: int
    label: int
    bar: int
    value: int
    spark: int
    block: int
    across: int
    down: int
    width: int
    height: int
    left: int
    scale: float

    @property
    def panel(self) -> int:
        """Width of a block with its margins."""
        return self.label + self.bar + self.value + self.spark + self.line

    def corner(self, number: int) -> Tuple[int, int]:
        """Upper left corner of a block's heading."""
        column, row = divmod(number, self.down)
        return (self.left + column * self.panel + self.line // 2,
                row * self.block + self.line // 4)


def lay_out(width: int, height: int, aus: Sequence[int], faces: int, video: bool,
            graded: bool = False) -> Layout:
    """Lay out room for a number of faces beside a frame, as compactly as possible.

    Args:
        width, height: Size of the frame.
        aus: Numbers of the action units.
        faces: Number of blocks that must fit. A video gets as many as its height allows, for later
            faces.
        video: Whether there are sparklines.
        graded: Whether there are intensities.
    """
    scale = min(1., MAX_SIDE / max(width, height))
    left, tall = max(1, round(width * scale)), max(1, round(height * scale))
    line = max(16, round(min(left, tall) / 27))
    label = max(_mask(_label(au), _size(line)).shape[1] for au in aus) + line // 2
    value = _mask('0.0/5' if graded else '0.00', _size(line)).shape[1] + line // 2
    fixed = dict(line=line, label=label, bar=6 * line, value=value, spark=7 * line * video,
                 block=(len(aus) + 1) * line + line // 2, scale=scale, left=left)
    faces = max(faces, 1, tall // fixed['block'] if video else 1)
    found = []
    for across in range(1, faces + 1):
        down = -(-faces // across)
        plan = Layout(**fixed, across=across, down=down, width=0, height=0)
        wide, high = left + across * plan.panel, max(tall, down * plan.block + line // 2)
        found.append(plan._replace(width=wide + wide % 2, height=high + high % 2))
    return min(found, key=lambda plan: max(plan.width, plan.height))


class Painter:
    """Paints frames of one image or video, in order.

    Args:
        aus: Numbers of the model's action units, in the order of the probabilities.
        thresholds: One per action unit, drawn as a mark on the bar. None: no marks.
        seconds: Length of a sparkline.
        intensity_aus: Numbers of the action units whose intensities are shown in place of their
            probabilities, without a mark.
    """

    def __init__(self, aus: Sequence[int], thresholds: Optional[Sequence[float]] = None,
                 seconds: float = 5., intensity_aus: Sequence[int] = ()):
        self.aus, self.thresholds, self.seconds = tuple(aus), thresholds, seconds
        self.intensity_aus = tuple(intensity_aus)
        self.layout: Optional[Layout] = None
        self._past: Dict[int, deque] = {}  # face -> (time, shares or None)

    def paint(self, image: np.ndarray, rows: Sequence, time: Optional[float] = None) -> np.ndarray:
        """Draw the predictions of a frame.

        Args:
            image: uint8 BGR ``[H, W, 3]``; it is not changed.
            rows: :class:`~fmae_iat_plugin.inference.predictions.FacePrediction` s of the frame.
            time: Time in seconds for a frame of a video. None: an image, without sparklines.

        Returns:
            np.ndarray: uint8 BGR, both sides even. All frames of a video have the size of the
            first. The last line counts the faces for which there is no room.
        """
        faces = sorted((row for row in rows if row.success), key=lambda row: row.face_id)
        if self.layout is None or time is None:
            height, width = image.shape[:2]
            self.layout = lay_out(width, height, self.aus, len(faces), time is not None,
                                  bool(self.intensity_aus))
        plan = self.layout
        canvas = np.full((plan.height, plan.width, 3), 255, dtype=np.uint8)
        self._frame(canvas, image, faces)
        self._remember(faces, time)
        room = plan.across * plan.down
        for number, row in enumerate(faces[:room]):
            self._block(canvas, plan.corner(number), row, time)
        if len(faces) > room:
            text = f'+ {len(faces) - room} without bars'
            put_tag(canvas, plan.left, plan.height - plan.line, text, plan.line, INK)
        return canvas

    def _frame(self, canvas: np.ndarray, image: np.ndarray, faces: list) -> None:
        plan = self.layout
        shown = image if plan.scale == 1 else cv2.resize(
            image, None, fx=plan.scale, fy=plan.scale, interpolation=cv2.INTER_AREA)
        height, width = plan.height, plan.left
        shown = shown[:height, :width]  # a later frame of a video may be larger
        canvas[:shown.shape[0], :shown.shape[1]] = shown
        shown = canvas[:shown.shape[0], :shown.shape[1]]
        thick = max(2, plan.line // 8)
        for row in faces:
            x1, y1, x2, y2 = (round(side * plan.scale) for side in row.box)
            colour = face_colour(row.face_id)
            cv2.rectangle(shown, (x1, y1), (x2 - 1, y2 - 1), colour, thick)
            text = f'face {row.face_id}'
            if _mask(text, _size(plan.line)).shape[1] > x2 - x1:
                text = str(row.face_id)
            put_tag(shown, x1, y1 - plan.line if y1 >= plan.line else y1, text, plan.line, colour)
        if not faces:
            put_tag(shown, 0, 0, 'no face', plan.line, INK)

    def _block(self, canvas: np.ndarray, corner: Tuple[int, int], row, time) -> None:
        plan, (x, y), line = self.layout, corner, self.layout.line
        put_tag(canvas, x, y, f'face {row.face_id}', line, face_colour(row.face_id))
        bar = x + plan.label
        spark = bar + plan.bar + plan.value
        if time is not None:
            put_text(canvas, spark, y, f'last {self.seconds:g} s', line, FAINT)
        inset = max(2, line // 6)
        shares, graded = self._shares(row), set(self.intensity_aus if row.intensities else ())
        for number, (au, share, present) in enumerate(zip(self.aus, shares, row.present)):
            y += line
            put_text(canvas, x, y, _label(au), line, INK if present else FAINT)
            lane = canvas[y + inset:y + line - inset]
            lane[:, bar:bar + plan.bar] = TRACK
            lane[:, bar:bar + round(share * plan.bar)] = PRESENT if present else ABSENT
            if self.thresholds is not None and au not in graded:
                mark = bar + round(self.thresholds[number] * plan.bar)
                canvas[y + 1:y + line - 1, mark:mark + max(1, line // 16)] = INK
            said = f'{5 * share:.1f}/5' if au in graded else f'{share:.2f}'
            put_text(canvas, bar + plan.bar + line // 4, y, said, line,
                     INK if present else FAINT)
            if time is not None:
                self._spark(canvas, spark, y, row.face_id, number, time)

    def _shares(self, row) -> Tuple[float, ...]:
        """What the bars show of a face, 0 to 1: fifths of intensities, else probabilities."""
        graded = dict(zip(self.intensity_aus, row.intensities or ()))
        return tuple(graded[au] / 5 if au in graded else probability
                     for au, probability in zip(self.aus, row.probabilities))

    def _remember(self, faces: list, time: Optional[float]) -> None:
        if time is None:
            return
        here = {row.face_id: self._shares(row) for row in faces}
        for face in here.keys() - self._past.keys():
            self._past[face] = deque()
        for face, past in list(self._past.items()):
            past.append((time, here.get(face)))
            while past[0][0] < time - self.seconds:
                past.popleft()
            if all(values is None for _, values in past):
                del self._past[face]

    def _spark(self, canvas: np.ndarray, x: int, y: int, face: int, number: int,
               time: float) -> None:
        plan = self.layout
        inset, width = max(2, plan.line // 6), plan.spark - 1
        low, high = y + plan.line - inset - 1, y + inset
        canvas[low, x:x + plan.spark] = TRACK
        strokes = [[]]
        for when, values in self._past[face]:
            if values is None:
                strokes.append([])
            else:
                strokes[-1].append((x + width - (time - when) / self.seconds * width,
                                    low - values[number] * (low - high)))
        for stroke in filter(None, strokes):
            points = np.rint(stroke).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(canvas, [points], False, PRESENT, max(1, plan.line // 12), cv2.LINE_AA)


def _label(au: int) -> str:
    return f'{au_name(au)} {ACTION_UNITS[au].name}'


def _size(line: int) -> int:
    return round(line * .76)


@lru_cache(maxsize=2048)
def _mask(text: str, size: int) -> np.ndarray:
    """Coverage of a line of text, float ``[h, w, 1]`` in [0, 1], in Pillow's own font."""
    font = ImageFont.load_default(size)
    image = Image.new('L', (int(np.ceil(font.getlength(text))), round(size / .76)))
    ImageDraw.Draw(image).text((0, image.height / 2), text, fill=255, font=font, anchor='lm')
    return np.asarray(image, dtype=np.float32)[..., None] / 255


def put_text(canvas: np.ndarray, x: int, y: int, text: str, line: int, colour) -> None:
    """Draw a line of text from its upper left corner; text outside the image is cut off."""
    mask = _mask(text, _size(line))
    x, y = max(x, 0), max(y, 0)
    region = canvas[y:y + mask.shape[0], x:x + mask.shape[1]]
    mask = mask[:region.shape[0], :region.shape[1]]
    region[:] = np.rint(region * (1 - mask) + np.asarray(colour, np.float32) * mask)


def put_tag(canvas: np.ndarray, x: int, y: int, text: str, line: int, ground) -> None:
    """A line of text on a coloured ground, in white or black, whichever is easier to read."""
    x, y = max(x, 0), max(y, 0)
    width = _mask(text, _size(line)).shape[1] + line // 2
    canvas[y:y + line, x:x + width] = ground
    light = float(np.dot(ground, (.0722, .7152, .2126)))
    put_text(canvas, x + line // 4, y, text, line, PAPER if light < 140 else INK)
