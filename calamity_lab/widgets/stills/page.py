"""The still picture of a widget: its views below each other, as they are at this moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calamity_lab.text import plural
from calamity_lab.views.agenda import agenda
from calamity_lab.views.controls import controls
from calamity_lab.views.events import event_rows
from calamity_lab.views.form import forms
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.views.timeline import timeline
from calamity_lab.widgets.desk import Desk
from calamity_lab.widgets.following import shown_instance
from calamity_lab.widgets.stills import pictures, tables
from calamity_lab.widgets.stills.paper import folded, heading, line, sheet, stand_in

_ROWS = 12


def still(face: str, token: str, desk: Desk) -> str:
    """What a widget's face shows at the desk's cursor, as HTML without script or network."""
    return sheet(token, _fact(desk) + _FACES[face](desk))


def docked_still(face: str, token: str, desk: Desk) -> str:
    """The same where the widget is to be beside the notebook, with what to do where nothing can be."""
    told = line(
        "Docked beside the notebook in JupyterLab. Elsewhere, let a cell end with the lab.", soft=True
    )
    return stand_in(token, told + _fact(desk) + _FACES[face](desk))


def _fact(desk: Desk) -> str:
    view = controls(desk.stepper.trace, desk.stepper.cursor, desk.stepper.error)
    where = f"Step {view.cursor:,} of {view.last:,}"
    return f'<div style="margin-bottom:8px">{line(where, soft=True)}{line(view.sentence)}</div>'


def _controls(desk: Desk) -> str:
    trace = desk.stepper.trace
    view = controls(trace, desk.stepper.cursor, desk.stepper.error)
    refusals = plural(len(trace.index.refused), "refusal")
    told = f"Command {view.command_number:,} of {view.commands:,}, {refusals} on the whole way"
    return line(told, soft=True) + line(f"Branch {view.branch}", soft=True)


def _agenda(desk: Desk) -> str:
    return tables.agenda(agenda(desk.stepper.trace, desk.stepper.cursor, limit=_ROWS))


def _state(desk: Desk) -> str:
    return tables.state(state(desk.stepper.trace, desk.stepper.cursor, limit=_ROWS))


def _timeline(desk: Desk) -> str:
    return pictures.timeline(timeline(desk.stepper.trace, desk.stepper.cursor, width=pictures.LANES_EVENTS))


def _process_graph(desk: Desk) -> str:
    stepper, model = desk.stepper, desk.model
    look = shown_instance(stepper.trace, model, stepper.selection, {})
    return pictures.process_graph(process_graph(stepper.trace, stepper.cursor, model, **look))


def _sequence(desk: Desk) -> str:
    return pictures.sequence(sequence(desk.stepper.trace, desk.stepper.cursor, limit=_ROWS))


def _events(desk: Desk) -> str:
    return tables.events(event_rows(desk.stepper.trace, desk.stepper.cursor, limit=_ROWS))


def _lab(desk: Desk) -> str:
    parts = {"Timeline": _timeline, "State": _state, "Next": _agenda}
    shown = "".join(heading(title) + part(desk) for title, part in parts.items())
    more = {"Process graph": _process_graph, "Sequence": _sequence, "Events": _events}
    return shown + "".join(folded(title, part(desk)) for title, part in more.items())


_FACES: Mapping[str, Callable[[Desk], str]] = {
    "lab": _lab,
    "controls": _controls,
    "agenda": lambda desk: (
        heading("Next") + _agenda(desk) + heading("Command") + tables.commands(forms(desk.model))
    ),
    "state": _state,
    "timeline": _timeline,
    "process_graph": _process_graph,
    "events": _events,
    "sequence": _sequence,
}
