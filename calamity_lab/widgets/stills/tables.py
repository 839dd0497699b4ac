"""The state, the agenda and the log as still tables."""

from __future__ import annotations

from collections.abc import Sequence

from calamity_lab.text import escape_html
from calamity_lab.views.agenda import AgendaEntry, AgendaView
from calamity_lab.views.comparison import ComparisonView
from calamity_lab.views.form import CommandForm
from calamity_lab.views.log import LogRow, LogView
from calamity_lab.views.state import FieldRow, StateRow, StateView
from calamity_lab.widgets.stills.paper import LATER, SOFT, fitted, line, more, table

_LENGTH = 90


def state(view: StateView) -> str:
    """Every aggregate and process manager in sight, with its fields."""
    if not view.rows:
        return line("Nothing is here yet.", soft=True)
    rows = [([_stream(row), f"{row.version}", _fields(row)], row.gone) for row in view.rows]
    return table(["Stream", "Version", "State"], rows) + more(view.matching, len(view.rows), "streams")


def agenda(view: AgendaView) -> str:
    """The command in progress and the pending ones."""
    in_progress = [_pending(view.in_progress, " in progress")] if view.in_progress else []
    rows = [(cells, False) for cells in (*in_progress, *(_pending(each) for each in view.entries))]
    if not rows:
        return line("Nothing is pending.", soft=True)
    headings = ["Command", "To", "With", "Origin", "As things stand"]
    return table(headings, rows) + more(view.total, len(view.entries), "commands")


def log(view: LogView) -> str:
    """The rows in sight; those that are yet to come are greyed."""
    if not view.rows:
        return line("Nothing has happened yet.", soft=True)
    rows = [(_log_row(row), not row.is_past) for row in view.rows]
    headings = ["Step", "What", "Stream", "Content", "Cause"]
    return table(headings, rows) + more(view.total, len(view.rows), "rows")


def comparison(view: ComparisonView) -> str:
    """What differs between two branches."""
    labels = {branch.name: branch.label for branch in view.branches}
    rows = [
        ([_short(f"{row.subject} {row.stream_id}".strip()), _short(row.a), _short(row.b)], False)
        for part in view.parts
        for row in part.rows
    ]
    headings = ["Difference", labels[view.a], labels[view.b]]
    total = sum(part.total for part in view.parts)
    shown = table(headings, rows) + more(total, len(rows), "differences") if rows else ""
    return line(view.sentence) + shown


def commands(forms: Sequence[CommandForm]) -> str:
    """The commands that can be sent, with the fields of each."""
    if not forms:
        return line("No command is known.", soft=True)
    rows = [
        (
            [
                f"<b>{escape_html(form.command)}</b>",
                escape_html(form.target),
                _short(", ".join(f.name for f in form.fields)),
            ],
            False,
        )
        for form in forms
    ]
    return table(["Command", "To", "Fields"], rows)


def _pending(entry: AgendaEntry, badge: str = "") -> list[str]:
    named = f"<b>{escape_html(entry.command)}</b>{badge}"
    shown = _short(entry.preview)
    return [named, escape_html(entry.target), _short(entry.fields), escape_html(entry.origin), shown]


def _log_row(row: LogRow) -> list[str]:
    position = "" if row.position is None else f" #{row.position:,}"
    name = "&nbsp;" * 3 * row.depth + escape_html(row.name) + position
    outcome = f"<b>{_short(row.outcome)}</b> &nbsp; " if row.outcome else ""
    stream, cause = escape_html(row.stream_id), escape_html(row.cause)
    return [f"{row.moment:,}", name, stream, outcome + _short(row.detail), cause]


def _stream(row: StateRow) -> str:
    word = "stopped" if row.gone else "new" if row.is_new else "changed" if row.changed else ""
    shown = f' <span style="color:{SOFT}">{word}</span>' if word else ""
    return f"<b>{escape_html(row.stream_id)}</b>{shown}"


def _fields(row: StateRow) -> str:
    return " &nbsp; ".join(_field(field) for field in row.fields)


def _field(field: FieldRow) -> str:
    name = f'<span style="color:{SOFT}">{escape_html(field.name)}</span> '
    if field.changes:
        return f"{name}<b>{_short(field.summary_of_changes)}</b>"
    if field.changed and field.before is not None:
        before = f'<del style="color:{LATER}">{_short(field.before)}</del> → '
        return f"{name}{before}<b>{_short(field.value)}</b>"
    return name + _short(field.value)


def _short(content: str) -> str:
    return escape_html(fitted(content, _LENGTH))
