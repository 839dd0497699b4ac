"""The state at the cursor as matplotlib axes: a card for each aggregate and process manager instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.markers import MarkerStyle
from matplotlib.patches import FancyBboxPatch

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.axes import axes_for, in_points, say_instead
from calamity_lab.figures.lettering import AS_TEXT, fitted, legible, room_for
from calamity_lab.figures.palette import palette, strong
from calamity_lab.figures.signs import HEXAGON, PILL
from calamity_lab.figures.table import WIDE, write_foot
from calamity_lab.figures.theme import Theme, themed
from calamity_lab.views.state import FieldRow, StateRow, StateView

_LETTERS = (7.5, 7.0, 6.5, 6.0, 5.5, 5.0)
_COLUMN = 27.0
"""The least width of a card, in letters."""
_LINE, _HEAD, _EDGE, _GAP = 1.5, 1.9, 0.7, 0.9
"""How high a field and a card's head are, and the room within and between cards; in letters."""
_MOST_FIELDS = 12
_FOOT = 10.0


class _Card(NamedTuple):
    """A row of the state, the fields that it shows of all it has, and its place, in points."""

    row: StateRow
    is_pinned: bool
    left: float
    top: float
    wide: float
    high: float


@themed
def plot_state(view: StateView, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
    """Draw every aggregate and process manager instance as a card: what changed first, old → new.

    A framed card is one that the command of the moment changed. Where there is no room for all cards, a line
    at the end tells how many are left out.
    """
    if not isinstance(view, StateView):
        raise InvalidValue(
            f"plot_state({type(view).__name__}): give the value of state(trace, cursor), "
            "or call lab.plot_state()"
        )
    rows = [*((row, True) for row in view.pinned), *((row, False) for row in view.rows)]
    ax = axes_for("plot_state", ax, (WIDE, _height(rows)))
    wide, high = in_points(ax)
    if not rows:
        say_instead(ax, f"nothing has {view.query!r} in it" if view.query else "nothing has happened yet")
        return ax
    letters, cards = _laid_out(rows, wide, high - _FOOT)
    for card in cards:
        _draw_card(ax, card, letters)
    left = len(view.pinned) + view.matching - len(cards)
    if left:
        write_foot(ax, f"and {left:,} more")
    return ax


def _height(rows: Sequence[tuple[StateRow, bool]]) -> float:
    """How high a new figure is, in inches."""
    cards = list(_placed(rows, WIDE * 72 - 6, _LETTERS[1]))
    return min(max((card.top + card.high for card in cards), default=60.0) + _FOOT + 8, 800.0) / 72


def _laid_out(rows: Sequence[tuple[StateRow, bool]], wide: float, high: float) -> tuple[float, list[_Card]]:
    """The largest letters in which all cards have room, or the smallest and those that have."""
    letters, cards = _LETTERS[-1], list[_Card]()
    for letters in _LETTERS:
        cards = list(_placed(rows, wide, letters))
        if cards[-1].top + cards[-1].high <= high:
            break
    within = [card for card in cards if card.top + card.high <= high]
    return letters, within or cards[:1]


def _placed(rows: Sequence[tuple[StateRow, bool]], wide: float, letters: float) -> Iterator[_Card]:
    """The cards side by side in rows, each row as high as its highest."""
    gap = _GAP * letters
    columns = max(1, int((wide + gap) // (_COLUMN * letters + gap)))
    each, top = (wide - gap * (columns - 1)) / columns, 0.0
    for start in range(0, len(rows), columns):
        shelf = rows[start : start + columns]
        high = max(_card_height(row, letters) for row, _ in shelf)
        for place, (row, is_pinned) in enumerate(shelf):
            yield _Card(row, is_pinned, place * (each + gap), top, each, high)
        top += high + gap


def _card_height(row: StateRow, letters: float) -> float:
    count = min(len(row.fields), _MOST_FIELDS + 1) or bool(row.note)
    return (_HEAD + _LINE * count + 2 * _EDGE) * letters


def _draw_card(ax: Axes, card: _Card, letters: float) -> None:
    row, edge = card.row, _EDGE * letters
    ax.add_patch(
        FancyBboxPatch(
            (card.left + 1.5, card.top + 1.5), card.wide - 3, card.high - 3,
            boxstyle="round,pad=0,rounding_size=3",
            facecolor=rcParams["axes.facecolor"] if row.changed else palette().shade,
            edgecolor=palette().edge, linewidth=0.9 if row.changed else 0, zorder=1,
        )
    )  # fmt: skip
    _draw_head(ax, card, card.top + edge + _HEAD * letters / 2, letters)
    y = card.top + edge + (_HEAD + _LINE / 2) * letters
    if not row.fields:
        _write(ax, card.left + 2 * edge, y, row.note, letters, palette().soft, card.wide - 4 * edge)
    shown = row.fields[:_MOST_FIELDS]
    named = [room_for(legible(field.name, 60), letters) + field.depth * letters for field in shown]
    column = min(max(named, default=0.0), 0.36 * card.wide)
    for place, field in enumerate(shown):
        _draw_field(ax, card, field, y + place * _LINE * letters, letters, column)
    left = len(row.fields) - len(shown)
    if left:
        told = f"and {left:,} more {'field' if left == 1 else 'fields'}"
        _write(ax, card.left + 2 * edge, y + len(shown) * _LINE * letters, told, letters, palette().soft)


def _draw_head(ax: Axes, card: _Card, y: float, letters: float) -> None:
    """A sign, the stream id, what became of it, and the version on the right."""
    row, left, right = card.row, card.left + 1.4 * letters, card.left + card.wide - 1.4 * letters
    sign = MarkerStyle(HEXAGON if row.kind == "process manager" else PILL)
    ax.scatter([left + 4], [y], s=60, marker=sign, color=strong(row.kind), linewidths=0, zorder=3)
    version = f"v{row.version:,}" if row.as_of is None else f"as of v{row.as_of.version:,}"
    told = ", ".join(part for part in (_became(row), "pinned" if card.is_pinned else "", version) if part)
    _write(ax, right, y, told, letters, palette().soft, align="right")
    room = right - left - 15 - room_for(told, letters)
    _write(ax, left + 11, y, row.stream_id, letters, rcParams["text.color"], room, weight="bold")


def _became(row: StateRow) -> str:
    return "stopped" if row.gone else "new" if row.is_new else "changed" if row.changed else ""


def _draw_field(ax: Axes, card: _Card, field: FieldRow, y: float, letters: float, column: float) -> None:
    """A field's name, and its value; of a changed one what it was, an arrow, and what it is."""
    left, indent = card.left + 1.4 * letters, field.depth * letters
    ink = rcParams["text.color"]
    _write(ax, left + indent, y, field.name, letters, palette().soft, column - indent)
    at = left + column + letters
    room = card.left + card.wide - 1.4 * letters - at
    value, weight = ("gone" if field.gone else field.value), ("bold" if field.changed else "normal")
    if field.changed and field.before is not None:
        arrow = room_for(" → ", letters)
        told = fitted(field.before, letters, max(room - arrow - room_for(value, letters, weight), 0.4 * room))
        ax.text(at, y, f"{told} →", va="center", fontsize=letters, color=palette().soft, **AS_TEXT)
        taken = room_for(told, letters) + arrow
        at, room = at + taken, room - taken
    _write(ax, at, y, value, letters, ink, room, weight=weight)


def _write(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    size: float,
    ink: str,
    room: float | None = None,
    *,
    weight: str = "normal",
    align: str = "left",
) -> None:
    written = legible(text) if room is None else fitted(text, size, room, weight)
    ax.text(
        x, y, written, ha=align, va="center", fontsize=size, color=ink, weight=weight, zorder=4, **AS_TEXT
    )
