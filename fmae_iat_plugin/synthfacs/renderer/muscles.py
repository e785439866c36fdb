# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The effect of each action unit on the skin, as data.

There are three tables: ``PULLS`` (Gaussian-weighted displacement of skin), ``LIDS`` and ``LIPS``
(rims of the slits); ``skin_folds.py`` has furrows and bulges. Numbers are displacements at
intensity 5 in pupil distances. Effects grow linearly with intensity and add up. The descriptions
follow the FACS manual (Ekman, Friesen and Hager, 2002).
"""
from collections.abc import Mapping

import numpy as np

from .geometry import dome

AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26)
MAX_INTENSITY = 5.0
BROW = (1, 2, 4, '1x2')

# drive: [(anchor, shift of the centre, sigma, pull)]; x is outward, y down; both sides.
PULLS = {
    # frontalis, pars medialis: inner brow up, brow oblique, forehead skin follows
    1: [('brow_in', (.03, -.03), (.155, .125), (.012, -.160)),
        ('brow_in', (.02, -.30), (.26, .20), (0, -.050))],
    # frontalis, pars lateralis: outer brow up, brow arched
    2: [('brow_out', (-.06, -.02), (.215, .16), (.010, -.165)),
        ('brow_out', (-.10, -.32), (.26, .20), (0, -.050))],
    # corrugator and depressors: brow down and together
    4: [('brow_in', (.05, 0), (.17, .165), (-.062, .105)),
        ('brow_mid', (0, 0), (.20, .15), (-.050, .055)),
        ('brow_out', (0, 0), (.18, .13), (-.020, .022))],
    # orbicularis oculi, pars orbitalis: cheek up, skin drawn towards the eye
    6: [('cheek', (-.02, .02), (.27, .22), (-.020, -.105)),
        ('eye_out', (.20, .02), (.13, .16), (-.050, -.010)),
        ('brow_out', (.02, .05), (.15, .10), (-.010, .026))],
    # levator labii superioris alaeque nasi: nose wings up, nose root pinched, inner brow down
    9: [('ala', (.02, -.03), (.15, .16), (.015, -.105)),
        ('origin', (.13, .12), (.14, .20), (-.008, -.030)),
        ('brow_in', (0, .03), (.17, .14), (-.034, .070)),
        ('mouth', (.14, -.16), (.15, .13), (0, -.050))],
    # levator labii superioris: middle of the upper lip up, cheek pushed up
    10: [('mouth', (.26, -.22), (.17, .15), (.012, -.058)),
         ('ala', (.12, .02), (.16, .18), (.012, -.040))],
    # zygomaticus major: corners back and up, cheeks raised and fuller
    12: [('corner', (.02, 0), (.185, .185), (.135, -.155)),
         ('corner', (.24, -.30), (.24, .24), (.034, -.062))],
    # buccinator: corners tightened and drawn in
    14: [('corner', (.00, 0), (.125, .12), (-.078, -.022)),
         ('corner', (.20, .03), (.12, .17), (-.058, -.006))],
    # depressor anguli oris: corners down
    15: [('corner', (-.02, .01), (.175, .18), (.016, .145)),
         ('corner', (.04, .22), (.16, .18), (.020, .045))],
    # mentalis: chin boss and lower lip up
    17: [('chin', (0, -.20), (.30, .19), (0, -.135)),
         ('mouth', (0, .16), (.22, .12), (0, -.050))],
    # risorius with platysma: corners straight back, lips stretched
    20: [('corner', (0, 0), (.215, .22), (.150, .022)),
         ('corner', (.16, .30), (.22, .26), (.050, .045))],
    # orbicularis oris: lips tightened, mouth a little narrower
    23: [('corner', (-.02, 0), (.17, .14), (-.060, 0))],
    24: [('mouth', (0, .26), (.30, .10), (0, -.030)), ('mouth', (0, -.17), (.30, .08), (0, .016)),
         ('corner', (.03, 0), (.12, .10), (.016, -.006))],
    25: [],
    # jaw drop: the lower face turns down about the jaw joint (see JAW_DROP)
    26: [('corner', (0, 0), (.16, .18), (-.036, .010)),
         ('corner', (.28, -.15), (.20, .30), (-.030, .012))],
    # mouth stretched open by the jaw: corners in; lips and jaw: see lip_profiles and drives
    27: [('corner', (-.01, .02), (.19, .20), (-.075, .030))],
    5: [('eye', (0, -.17), (.20, .08), (0, -.012))],
    7: [('eye_out', (.02, 0), (.10, .09), (-.014, 0)),
        ('eye', (0, .17), (.20, .09), (0, -.026))],
    '6x12': [('cheek', (.02, .0), (.24, .20), (0, -.022))],
    # frontalis as a whole: the middle of the brow rises with its ends, and the inner end further
    '1x2': [('brow_mid', (0, -.03), (.16, .14), (0, -.120)),
            ('brow_in', (.02, -.02), (.13, .13), (0, -.060))],
}

JAW_DROP = 0.27   # of the chin at AU26 intensity 5
_STRETCHED = .2, .8  # amounts of AU26 from which the jaw also stretches the mouth, and wholly

# How much of the light an action unit takes from the eyeballs, as a share of
# ``Identity.orbit_shade``: it narrows the eye or lowers the brow over it.
_EYE_SHADOW = {4: .55, 6: .8, 7: .6, 9: .4, 12: .3}


def _flat(u):
    return dome(u ** 2, 0.9)


def _shoulders(u):
    """Two humps half way to the corners, where levator labii superioris pulls."""
    return np.exp(-np.square((np.abs(u) - 0.48) / 0.24)) * (dome(u, 0.4) > 0)


def _zero(u):
    return 0.0 * u


def lid_profiles(curves):
    """Drive -> displacement of crease, upper edge, lower edge and bag, functions of u."""
    i = curves.id
    up, low = i.lid_up, i.lid_low

    def lids(crease, upper, lower, bag, bow=0.0):
        """Lid displacements at the middle; ``bow`` > 0 straightens the lower lid."""
        return (lambda u: crease * dome(u, .6), lambda u: upper * dome(u, .6),
                lambda u: (lower + bow * u) * dome(u, .55), lambda u: bag * dome(u / 1.3, .7))

    return {4: lids(.012, .010, 0, 0), 5: lids(-.028, -.090, .006, 0),
            6: lids(.004, .008, -.40 * low, -.024, .006),
            7: lids(.026, .44 * up, -.74 * low, -.026, -.006),
            9: lids(.010, .010, -.16 * low, -.020), '6x12': lids(0, .12 * up, -.10 * low, -.010),
            12: lids(0, 0, -.06 * low, -.008), 2: lids(-.016, -.008, 0, 0)}


def lip_profiles(curves):
    """Drive -> displacement of upper border, upper edge, lower edge and lower border."""
    i = curves.id
    up, low = i.lip_up, i.lip_low

    def scaled(amount, shape):
        return (lambda u: amount * shape(u)) if amount else _zero

    def lips(border_up, edge_up, edge_low, border_low, p=0.6):
        return tuple(scaled(a, lambda u: dome(u, p))
                     for a in (border_up, edge_up, edge_low, border_low))

    return {
        10: (lambda u: -.075 * _shoulders(u) - .020 * dome(u, .5),
             lambda u: -.040 * _shoulders(u) - .026 * dome(u, .6),
             lambda u: -.022 * dome(u, .6), lambda u: -.014 * dome(u, .6)),
        9: (lambda u: -.020 * dome(u, .5), lambda u: -.014 * dome(u, .6),
            lambda u: -.014 * dome(u, .6), _zero),
        12: lips(.16 * up, 0, 0, -.10 * low),
        14: lips(.10 * up, .004, -.004, -.10 * low),
        15: (lambda u: .010 * dome(u, .6), lambda u: -.014 * dome(u, .8),
             lambda u: -.014 * dome(u, .8), lambda u: .012 * dome(u, .6)),
        17: (lambda u: -.030 * dome(u, .8), lambda u: -.066 * dome(u, .8),
             lambda u: -.066 * dome(u, .8), lambda u: -.044 * dome(u, .6)),
        20: lips(.34 * up, .006, .006, -.26 * low),
        23: (lambda u: .48 * up * _flat(u), _zero, _zero, lambda u: -.52 * low * _flat(u)),
        24: (lambda u: .66 * up * _flat(u), lambda u: .006 * _flat(u),
             lambda u: .006 * _flat(u), lambda u: -.66 * low * _flat(u)),
        25: lips(-.018, -.046, .112, .082, .55),
        26: lips(-.31 * JAW_DROP, -.39 * JAW_DROP, .44 * JAW_DROP, .34 * JAW_DROP, .5),
        27: lips(.010, -.012, .165, .150, .5),
        # a smile bares the upper teeth: the parted upper lip follows the corners
        '12x25': lips(-.030, -.048, .004, 0, .5),
        '10x25': (lambda u: -.012 * _shoulders(u), lambda u: -.04 * _shoulders(u), _zero, _zero),
    }


def check_intensities(au_intensities):
    """Validate AU intensities.

    Args:
        au_intensities (Mapping | None): AU number -> intensity in [0, 5].

    Returns:
        dict[int, float]: The units above 0.

    Raises:
        TypeError: If it is not a mapping.
        ValueError: If an AU is not rendered, or an intensity is outside [0, 5].
    """
    if au_intensities is None:
        return {}
    if not isinstance(au_intensities, Mapping):
        raise TypeError('au_intensities must map AU numbers to intensities, e.g. {12: 3.5}, '
                        f'not {type(au_intensities).__name__}')
    out = {}
    for au, value in au_intensities.items():
        if isinstance(au, bool) or au not in AUS:
            raise ValueError(f'AU {au!r} is not rendered; choose from {AUS}')
        if not 0 <= float(value) <= MAX_INTENSITY:
            raise ValueError(f'intensity of AU {au} must lie in [0, 5], not {value!r}')
        if value > 0:
            out[int(au)] = float(value)
    return dict(sorted(out.items()))   # sums must not depend on the order of the arguments


def drives(au_intensities, person=None):
    """Drive name -> amount: the units and their interactions.

    An amount lies in [0, 1], times the mobility of the ``person`` (Identity). AU26 opens the mouth
    by itself, so AU25 beside it only adds the rest of its opening; where the jaw drops far, it
    stretches the mouth (AU 27, ``Identity.mouth_stretch``). AU6 with AU12 raises the cheek
    further. AU12 or AU10 with open lips bares teeth. AU1 with AU2 raises the whole brow
    (``Identity.whole_brow``).
    """
    d = {au: value / MAX_INTENSITY for au, value in check_intensities(au_intensities).items()}
    if person is not None:
        d = {au: amount * (person.brow_mobility if au in BROW else person.mobility)
             for au, amount in d.items()}
        if person.mouth_stretch and d.get(26, 0.0) > _STRETCHED[0]:
            share = (d[26] - _STRETCHED[0]) / (_STRETCHED[1] - _STRETCHED[0])
            d[27] = person.mouth_stretch * min(share, 1.0)
            d[26] *= 1 + .25 * d[27]
        if person.whole_brow and 1 in d and 2 in d:
            d['1x2'] = person.whole_brow * min(d[1], d[2])
    opening = max(d.get(25, 0.0), min(1.0, 1.6 * d.get(26, 0.0)))
    if 26 in d and 25 in d:
        d[25] *= 1 - 0.45 * d[26]
    for name, amount in (('6x12', d.get(6, 0.0) * d.get(12, 0.0)),
                         ('12x25', d.get(12, 0.0) * opening),
                         ('10x25', d.get(10, 0.0) * opening)):
        if amount:
            d[name] = amount
    return d


def eye_light(drives, person):
    """The share of the light that the lids and the brow leave to the eyeballs, 0 to 1."""
    shadow = sum(share * drives.get(au, 0.0) for au, share in _EYE_SHADOW.items())
    return 1 - person.orbit_shade * min(shadow, 1.0)


def pull_centres(curves, drive):
    """Gaussians of one drive: rows (x, y, sigma x, sigma y, pull x, pull y), both sides."""
    rows = []
    for anchor, shift, sigma, pull in PULLS.get(drive, ()):
        x, y = curves.anchors[anchor] + np.asarray(shift, float)
        if abs(x) < 1e-6:
            rows.append((x, y, *sigma, 0.0, pull[1]))
        else:
            rows += [(s * x, y, *sigma, s * pull[0], pull[1]) for s in (1, -1)]
    return np.array(rows, float).reshape(-1, 6)


def above_eyes(curves, y):
    """What of a brow's pull is left at the heights ``y``: all at the brow and above, and at the
    upper lid and below none where the eye is anchored (``Identity.eye_anchor`` = 1)."""
    person = curves.id
    lid = -person.lid_up
    brow = min(person.brow_y + person.brow_thickness / 2 + .04, lid - .03)
    share = np.clip((lid - y) / (lid - brow), 0, 1)
    return 1 - person.eye_anchor * (1 - share * share * (3 - 2 * share))


def jaw_field(curves, x, y):
    """Downward displacement of the skin by a dropped jaw, as a fraction of the drop at the chin."""
    nose, mouth, chin = curves.nose_base_y, curves.id.mouth_y, curves.id.chin_y
    knots = [-3, nose - .10, nose + .14, mouth, mouth + .30, chin, chin + .12, chin + .55,
             chin + 1.0, 9]
    values = [0, 0, .16, .50, .86, 1.0, 1.0, .42, 0, 0]
    fine = np.linspace(-3, 4, 701)
    ramp = np.interp(fine, knots, values)
    kernel = np.hanning(33)
    ramp = np.convolve(np.pad(ramp, 16, mode='edge'), kernel / kernel.sum(), mode='valid')
    side = np.exp(-(np.abs(x) / (1.12 * curves.id.face_width)) ** 5)
    return np.interp(y, fine, ramp) * side
