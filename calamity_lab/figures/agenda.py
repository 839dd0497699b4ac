"""What comes next as matplotlib axes."""

from __future__ import annotations

from matplotlib.axes import Axes

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.axes import axes_for, in_points, say_instead
from calamity_lab.figures.table import WIDE, Row, Table, draw_table, height_of, write_foot
from calamity_lab.figures.theme import Theme, themed
from calamity_lab.views.agenda import IN_PROGRESS, AgendaView, Entry


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
    entries = [*([view.in_progress] if view.in_progress else []), *view.entries]
    ax = axes_for("plot_agenda", ax, (WIDE, height_of(len(entries))))
    if not entries:
        in_points(ax)
        say_instead(ax, "nothing is pending")
        return ax
    titles = ("place", "command", "to", "fields", "origin", "as things stand")
    table = Table(titles, [_row(each) for each in entries], named=1, longest=5, now=0, told="")
    _, last = draw_table(ax, table)
    left = view.total - sum(entry.place != IN_PROGRESS for entry in entries[:last])
    write_foot(ax, f"and {left:,} more" if left else f"{view.total:,} pending")
    return ax


def _row(entry: Entry) -> Row:
    place = "now" if entry.place == IN_PROGRESS else f"{entry.place + 1:,}"
    cells = (place, entry.command, entry.target, entry.fields, entry.origin, entry.foreseen)
    return Row(cells, False, "refused" if entry.outcome == "refused" else "command")
