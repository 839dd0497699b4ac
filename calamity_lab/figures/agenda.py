"""What comes next as matplotlib axes."""

from __future__ import annotations

from matplotlib.axes import Axes

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.axes import axes_for, in_points, say_instead
from calamity_lab.figures.table import WIDE, Row, Table, draw_table, height_of, write_foot
from calamity_lab.figures.theme import Theme, themed
from calamity_lab.views.agenda import AgendaView, Entry


@themed
def plot_agenda(view: AgendaView, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
    """Draw the command in progress and those that wait, in order: for whom, with what, who sent them, and
    what each would lead to as things stand; one that would be refused has the sign of a refusal.
    """
    if not isinstance(view, AgendaView):
        raise InvalidValue(
            f"plot_agenda({type(view).__name__}): give the value of agenda(trace, cursor), "
            "or call lab.plot_agenda()"
        )
    in_progress = [_row("now", view.in_progress)] if view.in_progress else []
    rows = [*in_progress, *(_row(f"{place:,}", entry) for place, entry in enumerate(view.entries, 1))]
    ax = axes_for("plot_agenda", ax, (WIDE, height_of(len(rows))))
    if not rows:
        in_points(ax)
        say_instead(ax, "nothing is pending")
        return ax
    titles = ("place", "command", "to", "fields", "origin", "as things stand")
    table = Table(titles, rows, named=1, longest=5, now=0, told="")
    _, last = draw_table(ax, table)
    left = view.total - max(last - len(in_progress), 0)
    write_foot(ax, f"and {left:,} more" if left else f"{view.total:,} pending")
    return ax


def _row(place: str, entry: Entry) -> Row:
    cells = (place, entry.command, entry.target, entry.fields, entry.origin, entry.foreseen)
    return Row(cells, False, "refused" if entry.outcome == "refused" else "command")
