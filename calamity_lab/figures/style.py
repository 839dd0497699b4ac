"""The style of the figures: the colours of a theme, and the shapes as paths and markers of matplotlib."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache, wraps
from inspect import signature
from typing import Any, Literal, ParamSpec, cast

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D, ScaledTranslation

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.arguments import is_a, one_of
from calamity_lab.views.looks import COLOURS, LOOKS, SIGNS, Status
from calamity_lab.views.sequence_scene import Shape, Words

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")

SIGN_SIZE = 8.0
"""The height of the sign of a status, in points."""

_MIDDLE = 0.18
"""The luminance from which on dark colours are read better than light ones."""


def hue(name: str, theme: Theme | None = None) -> str:
    """A colour by its name, in a theme; without one, for the background in matplotlib's settings."""
    found = COLOURS[name]
    return found.light if (theme or theme_now()) == "light" else found.dark


def strong(kind: str) -> str:
    """The colour of a kind's marks, edges and words."""
    return hue(LOOKS[kind].colour)


def soft(kind: str) -> str:
    """The pale colour of a kind, as a background of text."""
    return hue(LOOKS[kind].soft)


def status_colour(status: Status) -> str:
    """The colour of the sign of a status."""
    return hue(SIGNS[status].colour)


def theme_now() -> Theme:
    """The theme that fits the background in matplotlib's settings."""
    return "light" if luminance(_background()) > _MIDDLE else "dark"


def luminance(colour: object) -> float:
    """How light a colour is, from 0 to 1, as WCAG 2 reckons it."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]  # type: ignore[arg-type]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _background() -> object:
    """The colour behind the marks; white if there is none, as paper is."""
    colours = (rcParams["axes.facecolor"], rcParams["figure.facecolor"])
    return next((each for each in colours if to_rgba(each)[3] > 0), "white")


def marker(kind: str) -> MarkerStyle:
    """The shape of a kind as a marker; an outline that is dashed is cut into its dashes."""
    look = LOOKS[kind]
    path = _upright(path_of(look.shape))
    return MarkerStyle(_dashed(path) if look.fill == "empty" else path)


def filling(kind: str, ink: str, sizes: Sequence[float]) -> dict[str, Any]:
    """How marks of a kind and of those sizes (in points) are filled and edged in a colour.

    So small, what is soft in the widgets is solid.
    """
    fill = LOOKS[kind].fill
    if fill in ("empty", "none"):
        share, most = (0.25, 1.2) if fill == "empty" else (0.3, 2.0)
        widths = [min(most, share * size) for size in sizes]
        return {"facecolors": "none", "edgecolors": ink, "linewidths": widths}
    widths = [0.5 if size > 4 else 0 for size in sizes]
    return {"facecolors": ink, "edgecolors": rcParams["axes.facecolor"], "linewidths": widths}


def legend_of(ax: Axes, kinds: Collection[str], *, gap: float) -> None:
    """A legend of these kinds under the axes."""
    legend_below(ax, [_legend_mark(kind) for kind in LOOKS if kind in kinds], gap=gap)


def _legend_mark(kind: str) -> Line2D:
    drawn = filling(kind, strong(kind), [7.0])
    return Line2D(
        [], [], linestyle="", marker=marker(kind), markersize=7, label=LOOKS[kind].word,
        markerfacecolor=drawn["facecolors"], markeredgecolor=drawn["edgecolors"],
        markeredgewidth=drawn["linewidths"][0],
    )  # fmt: skip


def sign(status: Status) -> dict[str, Any]:
    """How the sign of a status is drawn as a line's marker, and what the legend calls it."""
    found = SIGNS[status]
    return {
        "marker": MarkerStyle(_upright(Path.make_compound_path(path_of(found.outline), path_of(found.line)))),
        "markersize": SIGN_SIZE, "markerfacecolor": hue("paper"), "label": found.word,
        "markeredgecolor": hue(found.colour), "markeredgewidth": 0.9, "linestyle": "",
    }  # fmt: skip


def paint(ax: Axes, parts: Iterable[Shape | Words], scale: float) -> None:
    """Draw the parts of a scene, of which a pixel is so many points long, in the order in which they lie."""
    for part in parts:
        if isinstance(part, Words):
            size = part.size * scale
            weight = "bold" if part.is_bold else "normal"
            sides = {"start": "left", "middle": "center", "end": "right"}
            ax.text(
                part.x, part.y, fitted(part.text, size, part.room * scale, weight), zorder=2, fontsize=size,
                ha=sides[part.anchor], weight=weight, color=_ink(part.colour),
                bbox=backing(_ink(part.behind)), **AS_TEXT,
            )  # fmt: skip
            continue
        placed = Affine2D().scale(-1 if part.is_mirrored else 1, 1).translate(part.x, part.y)
        # matplotlib measures dashes in widths of the line.
        dashes = tuple(float(each) / part.width for each in part.dash.split())
        patch = PathPatch(
            path_of(part.path).transformed(placed), facecolor=_ink(part.fill), edgecolor=_ink(part.stroke),
            linewidth=part.width * scale if part.stroke else 0, linestyle=(0, dashes) if dashes else "-",
            zorder=2, clip_on=False,
        )  # fmt: skip
        ax.add_patch(patch)


def _ink(name: str) -> Any:
    """A colour by its name; none for "". Paper and ink are those that matplotlib is set to."""
    usual = {"": "none", "paper": rcParams["axes.facecolor"], "ink": rcParams["text.color"]}
    return usual[name] if name in usual else hue(name)


@lru_cache(maxsize=256)
def path_of(drawn: str) -> Path:
    """A path of SVG as one of matplotlib; y runs downwards. Of arcs it knows half circles."""
    pen = _Pen()
    for letter, rest in _COMMAND.findall(drawn):
        numbers = [float(each) for each in _NUMBER.findall(rest)]
        many = _TAKES[letter.lower()]
        for first in range(0, max(len(numbers), 1), max(many, 1)):
            pen.draw(letter, numbers[first : first + many])
    return Path(pen.points, pen.codes)


_COMMAND = re.compile(r"([mlhvcsqaz])([^mlhvcsqaz]*)", re.IGNORECASE)
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")
_TAKES = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "a": 7, "z": 0}
_CURVES = {"c": Path.CURVE4, "q": Path.CURVE3}


class _Pen:
    """Follows the commands of an SVG path, and keeps the points of a matplotlib one."""

    def __init__(self) -> None:
        self.points: list[Any] = []
        self.codes: list[Any] = []
        self.start = self.here = np.zeros(2)

    def draw(self, letter: str, numbers: Sequence[float]) -> None:
        """Carry out one command; small letters are relative to the pen."""
        origin = self.here if letter.islower() else np.zeros(2)
        match letter.lower():
            case "m":
                self.start = origin + numbers
                self._go(Path.MOVETO, self.start)
            case "l":
                self._go(Path.LINETO, origin + numbers)
            case "h":
                self._go(Path.LINETO, np.array([origin[0] + numbers[0], self.here[1]]))
            case "v":
                self._go(Path.LINETO, np.array([self.here[0], origin[1] + numbers[0]]))
            case "z":
                self._go(Path.CLOSEPOLY, self.start)
            case "a":
                self._arc(origin + numbers[5:], clockwise=numbers[4] == 1)
            case "s":
                self._go(Path.CURVE4, self.here, *(origin + np.reshape(numbers, (-1, 2))))
            case curve:
                self._go(_CURVES[curve], *(origin + np.reshape(numbers, (-1, 2))))

    def _go(self, code: Any, *points: Any) -> None:
        self.points += points
        self.codes += [code] * len(points)
        self.here = points[-1]

    def _arc(self, end: Any, *, clockwise: bool) -> None:
        """Half a circle, as two curves: its middle is half way between its ends."""
        middle, spoke = (self.here + end) / 2, (self.here - end) / 2
        turn = np.array([-spoke[1], spoke[0]]) * (1 if clockwise else -1)
        for one, other in ((spoke, turn), (turn, -spoke)):
            bent = middle + one + _BEND * other, middle + other + _BEND * one
            self._go(Path.CURVE4, *bent, middle + other)


_BEND = 0.5523
"""How far the handles of a curve are that is a quarter of a circle, in radii."""


def _upright(path: Path) -> Path:
    """A path whose y runs upwards."""
    return path.transformed(Affine2D().scale(1, -1))


def _dashed(path: Path) -> Path:
    """A path cut into dashes, since the markers of a legend know only whole lines."""
    return Path.make_compound_path(*(dash for line in path.to_polygons() for dash in _dashes(line)))


def _dashes(line: Any) -> Iterator[Path]:
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    many = max(round(along[-1] / 5), 1)
    for start in np.linspace(0, along[-1], many, endpoint=False):
        ends = np.linspace(start, start + 0.66 * along[-1] / many, 8)
        yield Path(np.column_stack([np.interp(ends, along, line[:, axis]) for axis in (0, 1)]))


_P = ParamSpec("_P")


def plots(view: type, how: str, arguments: str = "") -> Callable[[Callable[_P, Axes]], Callable[_P, Axes]]:
    """Decorate a plot of the values of a class; the error for another value says how to get one.

    The plot is drawn in its ``theme``; without one, in the colours that matplotlib is set to. Axes that were
    given are turned to the theme, and the figure they stand in, since names stand beside axes too.
    """

    def decorated(plot: Callable[_P, Axes]) -> Callable[_P, Axes]:
        call, first = plot.__name__, next(iter(signature(plot).parameters))

        @wraps(plot)
        def drawn(*args: _P.args, **kwargs: _P.kwargs) -> Axes:
            given = args[0] if args else kwargs.get(first)
            if not is_a(given, view):
                found = type(given).__name__
                raise InvalidValue(f"{call}({found}): give {how}, or call lab.{call}({arguments})")
            theme = kwargs.get("theme")
            if theme is None:
                return plot(*args, **kwargs)
            chosen = _chosen(call, theme)
            with rc_context(_settings(chosen)):
                ax = plot(*args, **kwargs)
            _dress(ax, chosen)
            return ax

        return drawn

    return decorated


def _chosen(call: str, theme: Any) -> Theme:
    return one_of(f"{call}(theme)", theme, THEMES)


def _settings(theme: Theme) -> dict[Any, Any]:
    papers = dict.fromkeys(("figure.facecolor", "figure.edgecolor", "axes.facecolor"), hue("paper", theme))
    inks = dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), hue("ink", theme)
    )
    lines = dict.fromkeys(("xtick.color", "ytick.color", "axes.edgecolor"), hue("ink-soft", theme))
    return {**papers, **inks, **lines, "axes.titlecolor": hue("ink", theme)}


def _dress(ax: Axes, theme: Theme) -> None:
    """Set the colours of earlier content, and of ticks that come when the figure gets another size."""
    figure = ax.get_figure(root=True)
    assert figure is not None, "axes that are drawn on belong to a figure"
    figure.set_facecolor(hue("paper", theme))
    ax.set_facecolor(hue("paper", theme))
    for spine in ax.spines.values():
        spine.set_edgecolor(hue("ink-soft", theme))
    ax.tick_params(colors=hue("ink-soft", theme), labelcolor=hue("ink", theme))
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_color(hue("ink", theme))


# Axes that fit what is drawn in them.

AS_TEXT: dict[str, Any] = {"parse_math": False, "usetex": False}
"""For every text that a model had a hand in: a dollar sign is a dollar sign."""

_BOX = "▯"

_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_PILED = re.compile(f"({_MARK}{_MARK}){_MARK}+")
_ON_PIXELS = 1.06
"""How much wider letters may become when they are fitted to coarse pixels."""


def legible(text: str, length: int = 60) -> str:
    """A text on one line, cut to a length; a box replaces what the font cannot draw.

    Of marks that are piled on a letter two are kept, so that they stay on their line.
    """
    text = _PILED.sub(r"\1", text)
    text = text if len(text) <= length else f"{text[: length - 1]}…"
    fonts = _fonts(tuple(FontProperties().get_family()))
    return "".join(_drawn(character, fonts) for character in text)


def width(text: str, size: float, weight: str = "normal") -> float:
    """How wide a text is in the default font, in points."""
    return size * _width(text, weight, tuple(FontProperties().get_family()))


def room_for(text: str, size: float, weight: str = "normal") -> float:
    """The room that a text takes wherever it is drawn, in points."""
    return width(text, size, weight) * _ON_PIXELS


def fitted(text: str, size: float, room: float, weight: str = "normal") -> str:
    """A text as it can be drawn, cut to its room in points."""
    line = legible(text, 120)
    if room_for(line, size, weight) <= room:
        return line
    kept = bisect_right(range(1, len(line)), room, key=lambda end: room_for(f"{line[:end]}…", size, weight))
    return f"{line[: max(kept, 1)]}…"


def _drawn(character: str, fonts: tuple[Any, ...]) -> str:
    if character.isspace():
        return " "
    known = character.isprintable() and any(font.get_char_index(ord(character)) for font in fonts)
    return character if known else _BOX


@lru_cache(maxsize=8)
def _fonts(families: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(get_font(findfont(FontProperties(family=[family]))) for family in families)


def backing(colour: Any) -> dict[str, Any]:
    """The box that hides the lines behind a text; with an outline instead, an SVG would not keep the text."""
    return {"facecolor": colour, "linewidth": 0, "pad": 0.5}


@lru_cache(maxsize=16_384)
def _width(text: str, weight: str, families: tuple[str, ...]) -> float:
    """The width in letters of one point; kept, since many rows have the same names and measuring is slow."""
    font = FontProperties(family=list(families), size=1, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


_LEGEND_COLUMN = 85


def axes_for(call: str, ax: Any, size: tuple[float, float]) -> Axes:
    """The axes given; without any, those of a new pyplot figure of that size in inches: notebooks show it."""
    if is_a(ax, Axes):
        return cast("Axes", ax)
    if ax is not None:
        raise InvalidValue(
            f"{call}(ax={type(ax).__name__}): ax must be one matplotlib Axes, as in "
            f"`fig, ax = plt.subplots()`; of several axes give one, as in axes[0]"
        )
    from matplotlib import pyplot as plt

    axes: Axes = plt.figure(figsize=size, layout="constrained").add_subplot()
    return axes


def legend_below(ax: Axes, handles: Sequence[Line2D], *, gap: float) -> None:
    """A legend ``gap`` points under the axes, in as many columns as there is room for."""
    if not handles:
        return
    columns = max(1, min(len(handles), int(room_across(ax) // _LEGEND_COLUMN)))
    ax.legend(
        handles=handles, loc="upper center", ncols=columns, frameon=False, fontsize=7, borderaxespad=0,
        handletextpad=0.4, columnspacing=1.2, bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(0, -gap / 72, _figure(ax).dpi_scale_trans),
    )  # fmt: skip


def room_across(ax: Axes) -> float:
    """The width of the axes in points, as it is before the figure is laid out."""
    return float(ax.get_window_extent().width) * 72 / _figure(ax).dpi


def size_in_points(ax: Axes) -> tuple[float, float]:
    """The width and height of the axes in points, once the figure is laid out."""
    figure = _figure(ax)
    figure.draw_without_rendering()
    box = ax.get_window_extent()
    scale = 72 / figure.dpi
    return box.width * scale, box.height * scale


def in_points(ax: Axes) -> tuple[float, float]:
    """How many points the axes are wide and high, once a unit of theirs is a point and 0, 0 is at the top."""
    ax.set_axis_off()
    wide, high = size_in_points(ax)
    ax.set_xlim(0, wide)
    ax.set_ylim(high, 0)
    return wide, high


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None, "axes that are drawn on belong to a figure"
    return figure


def write(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    size: float,
    ink: Any,
    room: float | None = None,
    **how: Any,
) -> None:
    """A text in letters of that size, cut to its room in points where it has one; its middle is at ``y``."""
    written = legible(text) if room is None else fitted(text, size, room, how.get("weight", "normal"))
    ax.text(x, y, written, fontsize=size, color=ink, **{"va": "center", "zorder": 4, **AS_TEXT, **how})


def say_instead(ax: Axes, words: str) -> None:
    """What is said where there is nothing to draw."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", **AS_TEXT)
