"""How an instance stands, as matplotlib draws it: a sign for each standing, in the widget's colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from calamity_lab.figures.palette import LIGHT, palette
from calamity_lab.views.marks import WORDS, Standing

SIZE = 8.0
"""The height of a sign in points."""


class Sign(NamedTuple):
    """Its colour on light and on dark, and its shape; y runs upwards."""

    light: str
    dark: str
    shape: Path

    @property
    def colour(self) -> str:
        """The colour on the ground that is drawn on now."""
        return self.light if palette() is LIGHT else self.dark


_RING = Path.unit_circle().transformed(Affine2D().scale(7))
_TRIANGLE = Path([(0, 7), (7, -6), (-7, -6), (0, 7)], closed=True)


def _shape(*lines: list[tuple[float, float]], around: Path = _RING) -> Path:
    """What is around, and the lines in it."""
    return Path.make_compound_path(around, *map(Path, lines))


_HOURGLASS = _shape([(-3, 3.8), (3, 3.8), (-3, -3.8), (3, -3.8), (-3, 3.8)])

SIGNS: Mapping[Standing, Sign] = {
    "done": Sign("#1b6b38", "#74d296", _shape([(-3.4, -0.2), (-1, -2.6), (3.6, 2.6)])),
    "in flight": Sign(
        "#1857b6", "#7fb2ff", _shape([(-3.6, 0), (3.2, 0), (0.2, 2.8)], [(3.2, 0), (0.2, -2.8)])
    ),
    "refused": Sign("#b3261e", "#ff9a8f", _shape([(-2.7, 2.7), (2.7, -2.7)], [(2.7, 2.7), (-2.7, -2.7)])),
    "dropped": Sign("#5a6572", "#a3adb9", _shape([(-3, 0), (3, 0)])),
    "waited for": Sign("#a34a00", "#ffae66", _HOURGLASS),
    "waiting": Sign("#a34a00", "#ffae66", _HOURGLASS),
    "overdue": Sign(
        "#8a5300", "#f5bf6b", _shape([(0, 3), (0, -1.6)], [(0, -3.4), (0, -4.2)], around=_TRIANGLE)
    ),
}


def sign(standing: Standing) -> dict[str, Any]:
    """How a standing's sign is drawn as a line's marker, and what the legend calls it."""
    found = SIGNS[standing]
    return {
        "marker": MarkerStyle(found.shape), "markersize": SIZE, "markerfacecolor": palette().paper,
        "markeredgecolor": found.colour, "markeredgewidth": 0.9, "linestyle": "", "label": WORDS[standing],
    }  # fmt: skip
