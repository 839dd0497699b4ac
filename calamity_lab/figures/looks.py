"""How matplotlib draws the colours, the shapes and the themes of the views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from math import cos, radians, sin
from typing import Any, Literal, NamedTuple, ParamSpec

from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from calamity_lab.errors import InvalidValue
from calamity_lab.views.instance_status import WORDS, Standing

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


Theme = Literal["light", "dark"]

THEMES: Mapping[str, Palette] = {"light": LIGHT, "dark": DARK}

_P = ParamSpec("_P")


def themed(plot: Callable[_P, Axes]) -> Callable[_P, Axes]:
    """A plot that is drawn in its ``theme``; without one, in the colours that matplotlib is set to.

    Axes that were given are turned to the theme, and the figure they stand in, since names stand beside
    axes too.
    """

    @wraps(plot)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> Axes:
        theme = kwargs.get("theme")
        if theme is None:
            return plot(*args, **kwargs)
        chosen = _chosen(plot.__name__, theme)
        with rc_context(_settings(chosen)):
            ax = plot(*args, **kwargs)
        _dress(ax, chosen)
        return ax

    return drawn


def _chosen(call: str, theme: Any) -> Palette:
    found = THEMES.get(theme) if isinstance(theme, str) else None
    if found is None:
        raise InvalidValue(
            f"{call}(theme={theme!r}): a theme is 'light' or 'dark'; "
            "None takes the colours that matplotlib is set to"
        )
    return found


def _settings(chosen: Palette) -> dict[Any, Any]:
    papers = dict.fromkeys(("figure.facecolor", "figure.edgecolor", "axes.facecolor"), chosen.paper)
    inks = dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), chosen.ink
    )
    lines = dict.fromkeys(("xtick.color", "ytick.color", "axes.edgecolor"), chosen.soft)
    return {**papers, **inks, **lines, "axes.titlecolor": chosen.ink}


def _dress(ax: Axes, chosen: Palette) -> None:
    """What stood there before the plot, and ticks that come when the figure gets another size."""
    figure = ax.get_figure(root=True)
    assert figure is not None, "axes that are drawn on stand in a figure"
    figure.set_facecolor(chosen.paper)
    ax.set_facecolor(chosen.paper)
    for spine in ax.spines.values():
        spine.set_edgecolor(chosen.soft)
    ax.tick_params(colors=chosen.soft, labelcolor=chosen.ink)
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_color(chosen.ink)


SIGN_SIZE = 8.0
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


def _sign_shape(*lines: list[tuple[float, float]], around: Path = _RING) -> Path:
    """What is around, and the lines in it."""
    return Path.make_compound_path(around, *map(Path, lines))


_HOURGLASS = _sign_shape([(-3, 3.8), (3, 3.8), (-3, -3.8), (3, -3.8), (-3, 3.8)])

SIGNS: Mapping[Standing, Sign] = {
    "done": Sign("#1b6b38", "#74d296", _sign_shape([(-3.4, -0.2), (-1, -2.6), (3.6, 2.6)])),
    "in flight": Sign(
        "#1857b6", "#7fb2ff", _sign_shape([(-3.6, 0), (3.2, 0), (0.2, 2.8)], [(3.2, 0), (0.2, -2.8)])
    ),
    "refused": Sign(
        "#b3261e", "#ff9a8f", _sign_shape([(-2.7, 2.7), (2.7, -2.7)], [(2.7, 2.7), (-2.7, -2.7)])
    ),
    "dropped": Sign("#5a6572", "#a3adb9", _sign_shape([(-3, 0), (3, 0)])),
    "waited for": Sign("#a34a00", "#ffae66", _HOURGLASS),
    "waiting": Sign("#a34a00", "#ffae66", _HOURGLASS),
    "overdue": Sign(
        "#8a5300", "#f5bf6b", _sign_shape([(0, 3), (0, -1.6)], [(0, -3.4), (0, -4.2)], around=_TRIANGLE)
    ),
}


def sign(standing: Standing) -> dict[str, Any]:
    """How a standing's sign is drawn as a line's marker, and what the legend calls it."""
    found = SIGNS[standing]
    return {
        "marker": MarkerStyle(found.shape), "markersize": SIGN_SIZE, "markerfacecolor": palette().paper,
        "markeredgecolor": found.colour, "markeredgewidth": 0.9, "linestyle": "", "label": WORDS[standing],
    }  # fmt: skip
