"""The state and the history of one field as matplotlib axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

from calamity_lab.figures.style import (
    AS_TEXT,
    Theme,
    axes_for,
    backing,
    fitted,
    hue,
    in_points,
    legible,
    marker,
    plots,
    room_for,
    say_instead,
    size_in_points,
    strong,
    write,
)
from calamity_lab.figures.tables import WIDE, write_foot
from calamity_lab.kernel.arguments import a_text
from calamity_lab.text import plural
from calamity_lab.views.paths import FieldHistory
from calamity_lab.views.state import FieldRow, StateRow, StateView

_LETTERS = (7.5, 7.0, 6.5, 6.0, 5.5, 5.0)
_COLUMN = 27.0
"""The least width of a card, in letters."""
_LINE, _HEAD, _EDGE, _GAP = 1.5, 1.9, 0.7, 0.9
"""How high a field and a card's head are, and the room within and between cards; in letters."""
_MOST_FIELDS = 12
_FOOT = 10.0


class _Card(NamedTuple):
    """A row of the state, the fields that it shows of all it has, and its corner, in points."""

    row: StateRow
    is_pinned: bool
    left: float
    top: float
    wide: float
    high: float


@plots(StateView, "the value of state(trace, cursor)")
def plot_state(view: StateView, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
    """Draw every aggregate and process manager instance as a card: changed fields first, old → new.

    The command of the moment changed the framed cards. If there is no room for all cards, a line at the end
    says how many are left out.
    """
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
        for number, (row, is_pinned) in enumerate(shelf):
            yield _Card(row, is_pinned, number * (each + gap), top, each, high)
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
            facecolor=rcParams["axes.facecolor"] if row.changed else hue("shade"),
            edgecolor=hue("edge"), linewidth=0.9 if row.changed else 0, zorder=1,
        )
    )  # fmt: skip
    _draw_head(ax, card, card.top + edge + _HEAD * letters / 2, letters)
    y = card.top + edge + (_HEAD + _LINE / 2) * letters
    if not row.fields:
        write(ax, card.left + 2 * edge, y, row.note, letters, hue("ink-soft"), card.wide - 4 * edge)
    shown = row.fields[:_MOST_FIELDS]
    named = [room_for(legible(field.name, 60), letters) + field.depth * letters for field in shown]
    column = min(max(named, default=0.0), 0.36 * card.wide)
    for number, field in enumerate(shown):
        _draw_field(ax, card, field, y + number * _LINE * letters, letters, column)
    left = len(row.fields) - len(shown)
    if left:
        words = f"and {left:,} more {'field' if left == 1 else 'fields'}"
        write(ax, card.left + 2 * edge, y + len(shown) * _LINE * letters, words, letters, hue("ink-soft"))


def _draw_head(ax: Axes, card: _Card, y: float, letters: float) -> None:
    """A sign, the stream id, what became of it, and the version on the right."""
    row, left, right = card.row, card.left + 1.4 * letters, card.left + card.wide - 1.4 * letters
    ax.scatter([left + 4], [y], s=60, marker=marker(row.kind), color=strong(row.kind), linewidths=0, zorder=3)
    version = f"v{row.version:,}" if row.as_of is None else f"as of v{row.as_of.version:,}"
    words = ", ".join(part for part in (_became(row), "pinned" if card.is_pinned else "", version) if part)
    write(ax, right, y, words, letters, hue("ink-soft"), ha="right")
    room = right - left - 15 - room_for(words, letters)
    write(ax, left + 11, y, row.stream_id, letters, rcParams["text.color"], room, weight="bold")


def _became(row: StateRow) -> str:
    return "stopped" if row.gone else "new" if row.is_new else "changed" if row.changed else ""


def _draw_field(ax: Axes, card: _Card, field: FieldRow, y: float, letters: float, column: float) -> None:
    """A field's name, and its value; of a changed one what it was, an arrow, and what it is."""
    left, indent = card.left + 1.4 * letters, field.depth * letters
    ink = rcParams["text.color"]
    write(ax, left + indent, y, field.name, letters, hue("ink-soft"), column - indent)
    at = left + column + letters
    room = card.left + card.wide - 1.4 * letters - at
    value, weight = (
        ("gone" if field.gone else field.summary_of_changes or field.value),
        ("bold" if field.changed else "normal"),
    )
    if field.changed and field.before is not None and not field.changes:
        arrow = room_for(" → ", letters)
        words = fitted(
            field.before, letters, max(room - arrow - room_for(value, letters, weight), 0.4 * room)
        )
        ax.text(at, y, f"{words} →", va="center", fontsize=letters, color=hue("ink-soft"), **AS_TEXT)
        taken = room_for(words, letters) + arrow
        at, room = at + taken, room - taken
    write(ax, at, y, value, letters, ink, room, weight=weight)


_FIELD_LETTERS = 6.5
_MOST_MARKED = 60


@plots(FieldHistory, "the value of field_history(versions, path, cursor)", "stream_id, field")
def plot_field(
    view: FieldHistory,
    ax: Axes | None = None,
    *,
    name: str = "",
    along: str = "version",
    theme: Theme | None = None,
) -> Axes:
    """Draw what a field was as of each version: a line that holds a value until the next one.

    The height of a number is its value; other values have a row each, in order of appearance. What is
    yet to come at the cursor is grey and dashed. ``name`` is the title, ``along`` what the axis counts.
    """
    name = a_text("plot_field(name)", name, "'balance of BankAccount-1'")
    ax = axes_for("plot_field", ax, (WIDE, 2.3))
    if not view.versions:
        ax.set_axis_off()
        say_instead(ax, "nothing is known of this field yet")
        return ax
    heights = _heights(view)
    along = a_text("plot_field(along)", along, "'step'")
    _lay_out_field(ax, view, name, along)
    _draw_field_line(ax, view, heights, is_marked=along == "version")
    if view.kind == "numbers":
        _draw_values(ax, view, heights)
    return ax


def _heights(view: FieldHistory) -> list[float | None]:
    """The height of each value."""
    if view.kind == "numbers":
        return list(view.heights)
    rows = {text: float(number) for number, text in enumerate(dict.fromkeys(view.values))}
    return [rows[text] for text in view.values]


def _lay_out_field(ax: Axes, view: FieldHistory, name: str, along: str) -> None:
    wide, _ = size_in_points(ax)
    span = max(view.versions[-1] - view.versions[0], 1)
    ax.set_xlim(view.versions[0] - 0.03 * span, view.versions[-1] + max(0.06 * span, 0.3))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if view.kind == "numbers":
        ax.set_ylim(-0.15, 1.25)
        ticks = {0.0: view.least, 1.0: view.most} if view.least != view.most else {0.5: view.least}
    else:
        ticks = {float(number): text for number, text in enumerate(dict.fromkeys(view.values))}
        ax.set_ylim(len(ticks) - 0.4, -0.6)
    texts = [fitted(text, 7, 0.3 * wide) for text in ticks.values()]
    ax.set_yticks(list(ticks), texts, fontsize=7, **AS_TEXT)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=7)
    ax.set_xlabel(", ".join([along, *_left_out(view)]), fontsize=7)
    ax.set_title(fitted(name, 8, 0.9 * wide), fontsize=8, **AS_TEXT)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def _left_out(view: FieldHistory) -> list[str]:
    skipped = [f"of which every {view.every:,} was looked at"] if view.every > 1 else []
    return [*skipped, *([f"{plural(view.earlier, 'earlier change')} left out"] if view.earlier else [])]


def _draw_field_line(ax: Axes, view: FieldHistory, heights: list[float | None], *, is_marked: bool) -> None:
    """The steps from value to value, a mark for each version, and where the cursor is."""
    ends = [*view.versions[1:], ax.get_xlim()[1]]
    looks: list[dict[str, Any]] = [
        {"color": rcParams["text.color"], "linewidth": 1.2, "zorder": 2},
        {"color": hue("later"), "linewidth": 1.0, "dashes": (3, 2), "zorder": 2},
    ]
    for number, (version, end, height) in enumerate(zip(view.versions, ends, heights, strict=True)):
        if height is not None:
            ax.plot([version, end], [height, height], solid_capstyle="butt", **looks[number >= view.past])
    for number, (before, after) in enumerate(pairwise(heights), 1):
        if before is not None and after is not None:
            ax.plot([view.versions[number]] * 2, [before, after], **looks[number >= view.past])
    if is_marked and len(view.versions) <= _MOST_MARKED:
        _draw_marks(ax, view, heights)
    if 0 < view.past < len(view.versions):
        now = (view.versions[view.past - 1] + view.versions[view.past]) / 2
        ax.axvline(now, color=hue("ink-soft"), linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)


def _draw_marks(ax: Axes, view: FieldHistory, heights: list[float | None]) -> None:
    """An event at each version; version 0 is the state before the first of them."""
    for number, (version, height) in enumerate(zip(view.versions, heights, strict=True)):
        if version and height is not None:
            ax.scatter(
                [version], [height], s=26, marker=marker("event"), zorder=3, linewidths=0.5,
                color=hue("later") if number >= view.past else strong("event"),
                edgecolors=rcParams["axes.facecolor"], clip_on=False,
            )  # fmt: skip


def _draw_values(ax: Axes, view: FieldHistory, heights: list[float | None]) -> None:
    """The values above the line, where there is room for them; the last ones first."""
    wide, _ = size_in_points(ax)
    low, high = ax.get_xlim()
    scale, free = wide / (high - low), wide
    for number in range(len(heights) - 1, -1, -1):
        height, text = heights[number], legible(view.values[number], 24)
        left = (view.versions[number] - low) * scale + 5
        if height is None or left + room_for(text, _FIELD_LETTERS) + 2 > free:
            continue
        free = left
        ax.annotate(
            text, (view.versions[number], height), (5, 3), textcoords="offset points",
            fontsize=_FIELD_LETTERS, color=hue("later") if number >= view.past else rcParams["text.color"],
            zorder=4, bbox=backing(rcParams["axes.facecolor"]), annotation_clip=False, **AS_TEXT,
        )  # fmt: skip
