"""The signs of how an instance stands, as in the live process graph: each its own, besides its colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from calamity_lab.views.marks import Standing


class Sign(NamedTuple):
    """A colour, and the line in the sign."""

    colour: str
    line: str


_HOURGLASS = "M-2.6-3.6H2.6M-2.6 3.6H2.6M-2-3.4C-2-1 2 1 2 3.4M2-3.4C2-1-2 1-2 3.4"

STANDINGS: Mapping[Standing, Sign] = {
    "done": Sign("#1b6b38", "M-3.4.2-1 2.6 3.6-2.6"),
    "in flight": Sign("#1857b6", "M-3.6 0H2.8M.2-2.8 3.2 0 .2 2.8"),
    "refused": Sign("#b3261e", "M-2.7-2.7 2.7 2.7M2.7-2.7-2.7 2.7"),
    "dropped": Sign("#5a6572", "M-3 0H3"),
    "waited for": Sign("#a34a00", _HOURGLASS),
    "waiting": Sign("#a34a00", _HOURGLASS),
    "overdue": Sign("#8a5300", "M0-3.6V.8M0 3.2V3.4"),
}


def sign(standing: Standing, x: float, y: float) -> str:
    """The sign of a standing at a place: a ring, or a triangle for what is overdue, with a line in it."""
    colour, line = STANDINGS[standing]
    around = "M0-7.6 7.8 6.4H-7.8z" if standing == "overdue" else "M-7 0a7 7 0 1 0 14 0 7 7 0 1 0-14 0"
    lines = f'stroke="{colour}" stroke-linejoin="round" stroke-linecap="round"'
    return (
        f'<g transform="translate({x:g} {y:g})" {lines}>'
        f'<path d="{around}" fill="#ffffff" stroke-width="1.3"/>'
        f'<path d="{line}" fill="none" stroke-width="1.6"/></g>'
    )
