"""The signs that matplotlib has no marker for, as the widget draws them: y runs upwards."""

from __future__ import annotations

from matplotlib.path import Path

COMMAND_SIGN = Path([(-6, -4.5), (2.2, -4.5), (6, 0), (2.2, 4.5), (-6, 4.5), (-6, -4.5)], closed=True)
"""A label that points to the right."""


def _note() -> Path:
    sheet = Path([(-5, 5), (5, 5), (5, -2.2), (2.2, -5), (-5, -5), (-5, 5)], closed=True)
    fold = Path([(2.2, -5), (2.2, -2.2), (5, -2.2)])
    return Path.make_compound_path(sheet, fold)


def _dashed_ring() -> Path:
    """Drawn as dashes, since the markers of a legend know only whole lines."""
    return Path.make_compound_path(*(Path.arc(angle, angle + 40) for angle in range(0, 360, 60)))


NOTE = _note()
"""A note with a folded corner."""

DASHED_RING = _dashed_ring()
"""A circle of dashes with nothing in it."""
