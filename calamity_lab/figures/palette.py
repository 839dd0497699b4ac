"""The colours and shapes of event storming, told apart by either alone, on light and on dark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.path import Path

from calamity_lab.figures.signs import COMMAND_SIGN, DASHED_RING, NOTE


class Hue(NamedTuple):
    """The colour of a kind: strong for marks, edges and words, soft as a ground for ink."""

    strong: str
    soft: str


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one ground; those of the widgets, so that a view and its picture look alike."""

    paper: str
    shade: str
    line: str
    edge: str
    ink: str
    soft: str
    later: str
    hues: Mapping[str, Hue]


LIGHT = Palette(
    paper="#ffffff",
    shade="#f5f6f8",
    line="#dfe2e7",
    edge="#868f9b",
    ink="#1c2229",
    soft="#5a6572",
    later="#67707c",
    hues={
        "command": Hue("#1857b6", "#e4eefc"),
        "event": Hue("#a34a00", "#fdebd8"),
        "process manager": Hue("#7137a8", "#f2e8fb"),
        "aggregate": Hue("#6f5900", "#fbf3cd"),
        "refused": Hue("#b3261e", "#fdeceb"),
    },
)

DARK = Palette(
    paper="#111418",
    shade="#1d2126",
    line="#363c44",
    edge="#737d8a",
    ink="#e6e9ed",
    soft="#a3adb9",
    later="#929ca8",
    hues={
        "command": Hue("#86b6ff", "#172a46"),
        "event": Hue("#ffae66", "#43290f"),
        "process manager": Hue("#cba3f5", "#332246"),
        "aggregate": Hue("#e8cc5c", "#3a3212"),
        "refused": Hue("#ff9a8f", "#43201d"),
    },
)

_MIDDLE = 0.18
"""The luminance from which on dark colours are read better than light ones."""


def palette() -> Palette:
    """The palette for the ground that matplotlib's settings ask for now."""
    return LIGHT if luminance(_ground()) > _MIDDLE else DARK


def strong(kind: str) -> str:
    """The colour of a kind's marks on that ground."""
    return palette().hues[kind].strong


def luminance(colour: object) -> float:
    """How light a colour is, from 0 to 1, as WCAG 2 reckons it."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]  # type: ignore[arg-type]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _ground() -> object:
    """What is behind the marks; nothing at all is taken for white, as paper is."""
    grounds = (rcParams["axes.facecolor"], rcParams["figure.facecolor"])
    return next((each for each in grounds if to_rgba(each)[3] > 0), "white")


class Look(NamedTuple):
    """How a kind of mark is drawn, of which kind its colour is, and what the legend calls it."""

    marker: str | Path
    kind: str
    name: str
    is_hollow: bool = False

    @property
    def colour(self) -> str:
        """On the ground that is asked for now."""
        return strong(self.kind)


LOOKS = {
    "command": Look(COMMAND_SIGN, "command", "command"),
    "event": Look(NOTE, "event", "event"),
    "started": Look(">", "process manager", "process manager started"),
    "continued": Look("D", "process manager", "continued"),
    "stopped": Look("s", "process manager", "stopped"),
    "ignored": Look(DASHED_RING, "process manager", "ignored", is_hollow=True),
    "refused": Look("X", "refused", "command refused"),
}
