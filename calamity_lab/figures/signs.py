"""The signs that matplotlib has no marker for, as the widget draws them: y runs upwards."""

from __future__ import annotations

from math import cos, radians, sin

from matplotlib.path import Path

COMMAND_SIGN = Path([(-6, -4.5), (2.2, -4.5), (6, 0), (2.2, 4.5), (-6, 4.5), (-6, -4.5)], closed=True)
"""A label that points to the right."""


HEXAGON = Path([(-3, -5.2), (3, -5.2), (6, 0), (3, 5.2), (-3, 5.2), (-6, 0), (-3, -5.2)], closed=True)
"""A process manager."""


def _note() -> Path:
    sheet = Path([(-5, 5), (5, 5), (5, -2.2), (2.2, -5), (-5, -5), (-5, 5)], closed=True)
    fold = Path([(2.2, -5), (2.2, -2.2), (5, -2.2)])
    return Path.make_compound_path(sheet, fold)


def _dashed_ring() -> Path:
    """Drawn as dashes, since the markers of a legend know only whole lines."""
    return Path.make_compound_path(*(Path.arc(angle, angle + 40) for angle in range(0, 360, 60)))


def pill(x: float, y: float, wide: float, high: float, end: float) -> Path:
    """A box around a point, half as wide and high as told, that ends in half circles ``end`` across."""
    turns = [radians(angle) for angle in range(-90, 91, 10)]
    right = [(x + wide - end + end * cos(turn), y + high * sin(turn)) for turn in turns]
    left = [(2 * x - corner, 2 * y - down) for corner, down in right]
    return Path([*right, *left, right[0]], closed=True)


NOTE = _note()
"""A note with a folded corner."""

DASHED_RING = _dashed_ring()
"""A circle of dashes with nothing in it."""

PILL = pill(0, 0, 6, 3.6, 3.6)
"""A box whose ends are half circles."""
