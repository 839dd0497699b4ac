"""The table of events as matplotlib axes."""

from __future__ import annotations

from matplotlib.axes import Axes

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.axes import axes_for, in_points, say_instead
from calamity_lab.figures.table import WIDE, Row, Table, draw_table, height_of, write_foot
from calamity_lab.figures.theme import Theme, themed
from calamity_lab.views.events import EventRow, EventTable


@themed
def plot_events(view: EventTable, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
    """Draw the events of a table, a row each; what is yet to come at the cursor is grey, below a line.

    Where there is no room for all rows, those around the cursor are drawn; a line tells which these are.
    """
    if not isinstance(view, EventTable):
        raise InvalidValue(
            f"plot_events({type(view).__name__}): give the value of event_rows(trace, cursor), "
            "or call lab.plot_events()"
        )
    ax = axes_for("plot_events", ax, (WIDE, height_of(len(view.rows))))
    if not view.rows:
        in_points(ax)
        say_instead(ax, "no event has been recorded yet")
        return ax
    past = sum(row.is_past for row in view.rows)
    titles = ("position", "stream", "event", "fields", "command")
    table = Table(titles, [_row(row) for row in view.rows], named=2, longest=3, now=past, told="now")
    first, last = draw_table(ax, table)
    write_foot(
        ax, f"Events {view.first + first + 1:,} to {view.first + last:,} of {view.total:,}, {view.now:,} past"
    )
    return ax


def _row(row: EventRow) -> Row:
    stream = f"{row.stream_id} v{row.version:,}"
    return Row((f"{row.position:,}", stream, row.type, row.fields, row.command), not row.is_past, "event")
