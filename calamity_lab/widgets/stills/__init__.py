"""The still picture of a widget: its views below each other, as they are at this moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from calamity_lab.text import plural
from calamity_lab.views.branches import branch_tree
from calamity_lab.views.controls import controls
from calamity_lab.views.form import forms
from calamity_lab.views.lanes import window
from calamity_lab.views.process_graph import process_graph
from calamity_lab.widgets.contents import Contents, shown_instance
from calamity_lab.widgets.stills import pictures
from calamity_lab.widgets.stills.paper import folded, heading, line, sheet, stand_in

_ROWS = 12


USE = "Run the notebook to use the lab."
"""What to do where only the picture of a lab can be seen."""


def still(face: str, token: str, contents: Contents, use: str = USE) -> str:
    """What a widget's face shows at the lab's cursor, as HTML without script or network.

    It says that it is a picture, and what to do in order to ``use`` the lab.
    """
    return sheet(token, _fact(contents, use) + _FACES[face](contents))


def docked_still(face: str, token: str, contents: Contents) -> str:
    """The same where the widget is to be beside the notebook, with what to do where nothing can be."""
    head = line(
        "Docked beside the notebook in JupyterLab. Elsewhere, let a cell end with the lab.", soft=True
    )
    return stand_in(token, head + _fact(contents, USE) + _FACES[face](contents))


def _fact(contents: Contents, use: str) -> str:
    stepper = contents.lab.stepper
    view = controls(stepper.trace, stepper.cursor, stepper.error)
    where = f"Picture of step {view.cursor:,} of {view.last:,}. {use}"
    return f'<div style="margin-bottom:8px">{line(where, soft=True)}{line(view.sentence)}</div>'


def _controls(contents: Contents) -> str:
    stepper = contents.lab.stepper
    view = controls(stepper.trace, stepper.cursor, stepper.error)
    rejections = plural(len(stepper.trace.index.rejections), "rejection")
    head = f"Command {view.command_number:,} of {view.commands:,}, {rejections} in the whole run"
    tree = branch_tree(stepper.trace)
    branches = [f"{row.sentence}{', looked at' if row.current else ''}" for row in tree.rows]
    more = [plural(tree.more, "more branch", "more branches")] if tree.more else []
    texts = [*branches, *more] or [f"Branch {view.branch}"]
    return line(head, soft=True) + "".join(line(text, soft=True) for text in texts)


def _listed(part: str, **usual: Any) -> Callable[[Contents], str]:
    """What draws a view of the trace at the cursor: its first rows, and what a person chose to see of it."""
    draw = getattr(pictures, part)
    return lambda contents: str(draw(contents.at_cursor(part, **usual, limit=_ROWS)))


def _timeline(contents: Contents) -> str:
    stepper = contents.lab.stepper
    chart = contents.charts.of(stepper.trace)
    return pictures.timeline(window(chart, stepper.cursor, width=pictures.LANES_EVENTS))


def _process_graph(contents: Contents) -> str:
    stepper, model = contents.lab.stepper, contents.lab.model
    look = shown_instance(stepper.trace, model, stepper.selection, {})
    return pictures.process_graph(process_graph(stepper.trace, stepper.cursor, model, **look))


_agenda, _comparison = _listed("agenda"), _listed("comparison")
_log, _sequence = _listed("log", first=None), _listed("sequence", first=None)
_state = _listed("state", query="", first=0, pinned=(), unfolded=(), histories=(), as_of=())


def _lab(contents: Contents) -> str:
    parts = {"Timeline": _timeline, "State": _state, "Next": _agenda}
    shown = "".join(heading(title) + part(contents) for title, part in parts.items())
    more = {"Log": _log, "Process graph": _process_graph, "Sequence": _sequence}
    return shown + "".join(folded(title, part(contents)) for title, part in more.items())


_FACES: Mapping[str, Callable[[Contents], str]] = {
    "lab": _lab,
    "controls": _controls,
    "agenda": lambda contents: (
        heading("Next")
        + _agenda(contents)
        + heading("Command")
        + pictures.commands(forms(contents.lab.model))
    ),
    "state": _state,
    "timeline": _timeline,
    "process_graph": _process_graph,
    "log": _log,
    "sequence": _sequence,
    "comparison": _comparison,
}
