"""A table on matplotlib axes: its columns as wide as their texts, as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.markers import MarkerStyle

from calamity_lab.figures.axes import in_points
from calamity_lab.figures.lettering import AS_TEXT, fitted, legible, room_for
from calamity_lab.figures.palette import LOOKS, palette

WIDE = 7.1
"""A page's text, in inches: 180 mm."""

_LARGEST, _SMALLEST = 7.5, 5.0
_LINE = 1.75
_APART = 1.3
_OTHER, _NOW = 3.4, 0.8
"""The lines above and below the rows, and the one in which the present moment stands."""
_SHARE = 0.36
"""So much of the room the longest column may have before the others get theirs."""
_ACROSS = 46
"""So many letters should go on a line; on a narrow one they are smaller."""


class Row(NamedTuple):
    """The texts of a row, and whether it is yet to come; ``sign`` is the kind of mark before its name."""

    cells: tuple[str, ...]
    is_later: bool
    sign: str


class Table(NamedTuple):
    """Columns and rows; ``now`` rows of them are past, ``told`` is what the moment between is called.

    ``named`` is the column before which the signs stand, ``longest`` the one that gets its room first.
    """

    titles: tuple[str, ...]
    rows: Sequence[Row]
    named: int
    longest: int
    now: int
    told: str


def height_of(rows: int) -> float:
    """How high a table of that many rows is, in inches, with a line above and one below it."""
    return min((rows + _OTHER) * _LARGEST * _LINE / 72 + 0.1, 11.0)


def draw_table(ax: Axes, table: Table) -> tuple[int, int]:
    """Draw as many rows around the present one as there is room for; from which one to which these are."""
    wide, high = in_points(ax)
    lines = len(table.rows) + _OTHER
    letters = max(_SMALLEST, min(_LARGEST, high / lines / _LINE, wide / _ACROSS))
    line = letters * _LINE
    first, last = _kept(len(table.rows), table.now, max(1, int(high / line - _OTHER)))
    rows = table.rows[first:last]
    lefts, rooms = _columns(table, rows, letters, wide)
    for left, room, title in zip(lefts, rooms, table.titles, strict=True):
        _write(ax, left, 0.6 * line, fitted(title, letters, room), letters, palette().soft)
    ax.plot([0, wide], [1.1 * line] * 2, color=palette().edge, linewidth=0.6)
    parted = table.now if first < table.now < last else last
    for place, row in enumerate(rows, first):
        y = (1.7 + place - first + (_NOW if place >= parted else 0)) * line
        _draw_row(ax, table.named, row, y, letters, list(zip(lefts, rooms, strict=True)))
    if parted < last:
        _draw_now(ax, table.told, (1.2 + parted - first + _NOW / 2) * line, letters, wide)
    return first, last


def write_foot(ax: Axes, told: str) -> None:
    """A line below the table that says what is not in it."""
    high, wide = ax.get_ylim()[0], ax.get_xlim()[1]
    _write(ax, 0, high - 0.8 * _SMALLEST, fitted(told, 6.0, wide), 6.0, palette().soft)


def _kept(count: int, now: int, room: int) -> tuple[int, int]:
    """From which row to which there is room, with the present one in the middle if it can be."""
    first = max(0, min(now - room // 2, count - room))
    return first, min(first + room, count)


def _columns(
    table: Table, rows: Sequence[Row], letters: float, wide: float
) -> tuple[list[float], list[float]]:
    """Where each column begins and what room it has: the widest ones give, if there is not enough."""
    sign, gap = 1.6 * letters, _APART * letters
    asked = [
        max(room_for(legible(text, 120), letters) for text in (title, *(row.cells[place] for row in rows)))
        for place, title in enumerate(table.titles)
    ]
    room = wide - sign - gap * (len(asked) - 1)
    first = min(asked[table.longest], _SHARE * room)
    others = _shared([*asked[: table.longest], *asked[table.longest + 1 :]], room - first)
    rooms = [*others[: table.longest], first, *others[table.longest :]]
    lefts, left = [], 0.0
    for place, given in enumerate(rooms):
        left += sign if place == table.named else 0
        lefts.append(left)
        left += given + gap
    return lefts, rooms


def _shared(asked: Sequence[float], room: float) -> list[float]:
    """What each gets: what it asked for, or what is left where all who ask for more get the same."""
    given, left = dict[int, float](), room
    for place in sorted(range(len(asked)), key=asked.__getitem__):
        given[place] = min(asked[place], left / (len(asked) - len(given)))
        left -= given[place]
    return [given[place] for place in range(len(asked))]


def _draw_row(
    ax: Axes, named: int, row: Row, y: float, letters: float, columns: Sequence[tuple[float, float]]
) -> None:
    ink = palette().later if row.is_later else rcParams["text.color"]
    for (left, room), text in zip(columns, row.cells, strict=True):
        _write(ax, left, y, fitted(text, letters, room), letters, ink)
    look = LOOKS[row.sign]
    ax.scatter(
        [columns[named][0] - 0.85 * letters], [y], s=(0.85 * letters) ** 2, marker=MarkerStyle(look.marker),
        color=palette().later if row.is_later else look.colour, linewidths=0, zorder=3,
    )  # fmt: skip


def _draw_now(ax: Axes, told: str, y: float, letters: float, wide: float) -> None:
    """The line between what is past and what is yet to come."""
    size = max(_SMALLEST, 0.8 * letters)
    ax.plot([0, wide - room_for(told, size) - 4], [y, y], color=palette().soft, linewidth=0.8, dashes=(4, 2))
    ax.text(wide, y, told, ha="right", va="center", fontsize=size, color=palette().soft, **AS_TEXT)


def _write(ax: Axes, x: float, y: float, text: str, size: float, ink: str) -> None:
    ax.text(x, y, text, ha="left", va="center", fontsize=size, color=ink, **AS_TEXT)
