"""The events and the agenda as tables on matplotlib axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes

from calamity_lab.figures.style import (
    Theme,
    axes_for,
    filling,
    hue,
    in_points,
    legible,
    marker,
    plots,
    room_for,
    say_instead,
    strong,
    write,
)
from calamity_lab.text import plural
from calamity_lab.views.agenda import AgendaEntry, AgendaView, DueEntry
from calamity_lab.views.events import EventRow, EventTable

WIDE = 7.1
"""A page's text, in inches: 180 mm."""

_LARGEST, _SMALLEST = 7.5, 5.0
_LINE = 1.75
_APART = 1.3
_OTHER, _NOW = 3.4, 0.8
"""The lines above and below the rows, and the line of the present moment."""
_SHARE = 0.36
"""The share of the width that the longest column may have before the others get theirs."""
_ACROSS = 46
"""The number of letters that should fit on a line; on a narrow line the letters are smaller."""


class _Row(NamedTuple):
    """The texts of a row, and whether it is yet to come; ``sign`` is the kind of mark before its name."""

    cells: tuple[str, ...]
    is_later: bool
    sign: str


class Table(NamedTuple):
    """Columns and rows; ``now`` rows of them are past, ``label`` names the line between past and later rows.

    The signs are before the column ``named``; the column ``longest`` gets its room first.
    """

    titles: tuple[str, ...]
    rows: Sequence[_Row]
    named: int
    longest: int
    now: int
    label: str


def height_of(rows: int) -> float:
    """How high a table of that many rows is, in inches, with a line above and one below it."""
    return min((rows + _OTHER) * _LARGEST * _LINE / 72 + 0.1, 11.0)


def draw_table(ax: Axes, table: Table, *, from_top: bool = False) -> tuple[int, int]:
    """Draw as many rows around the present one as there is room for; from which one to which these are.

    With ``from_top`` these are the first ones.
    """
    wide, high = in_points(ax)
    lines = len(table.rows) + _OTHER
    letters = max(_SMALLEST, min(_LARGEST, high / lines / _LINE, wide / _ACROSS))
    line = letters * _LINE
    first, last = _kept(len(table.rows), 0 if from_top else table.now, max(1, int(high / line - _OTHER)))
    rows = table.rows[first:last]
    lefts, rooms = _columns(table, rows, letters, wide)
    for left, room, title in zip(lefts, rooms, table.titles, strict=True):
        write(ax, left, 0.6 * line, title, letters, hue("ink-soft"), room)
    ax.plot([0, wide], [1.1 * line] * 2, color=hue("edge"), linewidth=0.6)
    parted = table.now if first < table.now < last else last
    for number, row in enumerate(rows, first):
        y = (1.7 + number - first + (_NOW if number >= parted else 0)) * line
        _draw_row(ax, table.named, row, y, letters, list(zip(lefts, rooms, strict=True)))
    if parted < last:
        _draw_now(ax, table.label, (1.2 + parted - first + _NOW / 2) * line, letters, wide)
    return first, last


def write_foot(ax: Axes, label: str) -> None:
    """A line below the table that says what is not in it."""
    high, wide = ax.get_ylim()[0], ax.get_xlim()[1]
    write(ax, 0, high - 0.8 * _SMALLEST, label, 6.0, hue("ink-soft"), wide)


def _kept(count: int, now: int, room: int) -> tuple[int, int]:
    """From which row to which there is room, with the present one in the middle if it can be."""
    first = max(0, min(now - room // 2, count - room))
    return first, min(first + room, count)


def _columns(
    table: Table, rows: Sequence[_Row], letters: float, wide: float
) -> tuple[list[float], list[float]]:
    """Where each column begins and what room it has: the widest ones give, if there is not enough."""
    sign, gap = 1.6 * letters, _APART * letters
    asked = [
        max(room_for(legible(text, 120), letters) for text in (title, *(row.cells[number] for row in rows)))
        for number, title in enumerate(table.titles)
    ]
    room = wide - sign - gap * (len(asked) - 1)
    first = min(asked[table.longest], _SHARE * room)
    others = _shared([*asked[: table.longest], *asked[table.longest + 1 :]], room - first)
    rest = min(asked[table.longest], room - sum(others))
    rooms = [*others[: table.longest], rest, *others[table.longest :]]
    lefts, left = [], 0.0
    for number, given in enumerate(rooms):
        left += sign if number == table.named else 0
        lefts.append(left)
        left += given + gap
    return lefts, rooms


def _shared(asked: Sequence[float], room: float) -> list[float]:
    """What each gets: what it asked for, or what is left where all who ask for more get the same."""
    given, left = dict[int, float](), room
    for number in sorted(range(len(asked)), key=asked.__getitem__):
        given[number] = min(asked[number], left / (len(asked) - len(given)))
        left -= given[number]
    return [given[number] for number in range(len(asked))]


def _draw_row(
    ax: Axes, named: int, row: _Row, y: float, letters: float, columns: Sequence[tuple[float, float]]
) -> None:
    ink = hue("later") if row.is_later else rcParams["text.color"]
    for (left, room), text in zip(columns, row.cells, strict=True):
        write(ax, left, y, text, letters, ink, room)
    size = 0.85 * letters
    drawn = filling(row.sign, hue("later") if row.is_later else strong(row.sign), [size])
    ax.scatter([columns[named][0] - size], [y], s=size**2, marker=marker(row.sign), zorder=3, **drawn)


def _draw_now(ax: Axes, label: str, y: float, letters: float, wide: float) -> None:
    """The line between what is past and what is yet to come."""
    size = max(_SMALLEST, 0.8 * letters)
    ax.plot(
        [0, wide - room_for(label, size) - 4],
        [y, y],
        color=hue("ink-soft"),
        linewidth=0.8,
        dashes=(4, 2),
    )
    write(ax, wide, y, label, size, hue("ink-soft"), ha="right")


@plots(EventTable, "the value of event_rows(trace, cursor)")
def plot_events(view: EventTable, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
    """Draw the events of a table, one row per event; events after the cursor are grey, below a line.

    If there is no room for all rows, the rows around the cursor are drawn, and a line says which these are.
    """
    ax = axes_for("plot_events", ax, (WIDE, height_of(len(view.rows))))
    if not view.rows:
        in_points(ax)
        say_instead(ax, "no event has been recorded yet")
        return ax
    past = sum(row.is_past for row in view.rows)
    titles = ("position", "stream", "event", "fields", "command")
    table = Table(titles, [_event_row(row) for row in view.rows], named=2, longest=3, now=past, label="now")
    first, last = draw_table(ax, table)
    write_foot(
        ax,
        f"Events {view.first + first + 1:,} to {view.first + last:,} of {view.total:,}, {view.now:,} so far",
    )
    return ax


def _event_row(row: EventRow) -> _Row:
    stream = f"{row.stream_id} v{row.version:,}"
    return _Row((f"{row.position:,}", stream, row.type, row.fields, row.command), not row.is_past, "event")


@plots(AgendaView, "the value of agenda(trace, cursor)")
def plot_agenda(view: AgendaView, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
    """Draw the command in progress and those that wait, in order: for whom, with what, who sent them, and
    what each would lead to now. A command that would be rejected has the sign of a rejection. The deadlines
    that are set follow below a line, in order of when they are due.
    """
    in_progress = [_pending_row("now", view.in_progress)] if view.in_progress else []
    pending = [
        *in_progress,
        *(_pending_row(f"{number:,}", entry) for number, entry in enumerate(view.entries, 1)),
    ]
    rows = [*pending, *map(_due_row, view.due)]
    ax = axes_for("plot_agenda", ax, (WIDE, height_of(len(rows))))
    if not rows:
        in_points(ax)
        say_instead(ax, "the agenda is empty")
        return ax
    titles = ("#", "command", "to", "fields", "origin", "preview")
    table = Table(titles, rows, named=1, longest=5, now=len(pending), label="due")
    # What comes next is drawn first, however little room there is.
    _, last = draw_table(ax, table, from_top=True)
    left = view.total - max(min(last, len(pending)) - len(in_progress), 0)
    words = [f"and {left:,} more" if left else f"{view.total:,} pending"]
    if view.deadlines:
        not_drawn = view.deadlines - max(last - len(pending), 0)
        words.append(
            f"{plural(view.deadlines, 'deadline')}{f', {not_drawn:,} not drawn' if not_drawn else ''}"
        )
    write_foot(ax, "; ".join(words))
    return ax


def _due_row(entry: DueEntry) -> _Row:
    command = entry.command if entry.command != entry.deadline else ""
    return _Row(("", entry.deadline, "", command, entry.origin, entry.when), False, "deadline")


def _pending_row(number: str, entry: AgendaEntry) -> _Row:
    cells = (number, entry.command, entry.target, entry.fields, entry.origin, entry.preview)
    return _Row(cells, False, "rejected" if entry.outcome == "rejected" else "command")
