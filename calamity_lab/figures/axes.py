"""The axes that a figure is drawn on, and texts from a model made fit for them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.transforms import ScaledTranslation

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.arguments import is_a

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


def say_instead(ax: Axes, words: str) -> None:
    """What is said where there is nothing to draw."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", **AS_TEXT)
