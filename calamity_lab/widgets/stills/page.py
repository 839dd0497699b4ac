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
from calamity_lab.widgets.contents import LabHandle, shown_instance
from calamity_lab.widgets.stills import pictures, tables
from calamity_lab.widgets.stills.paper import folded, heading, line, sheet, stand_in

_ROWS = 12


def still(face: str, token: str, lab: LabHandle) -> str:
    """What a widget's face shows at the lab's cursor, as HTML without script or network."""
    return sheet(token, _fact(lab) + _FACES[face](lab))


def docked_still(face: str, token: str, lab: LabHandle) -> str:
    """The same where the widget is to be beside the notebook, with what to do where nothing can be."""
    told = line(
        "Docked beside the notebook in JupyterLab. Elsewhere, let a cell end with the lab.", soft=True
    )
    return stand_in(token, told + _fact(lab) + _FACES[face](lab))


def _fact(lab: LabHandle) -> str:
    view = controls(lab.stepper.trace, lab.stepper.cursor, lab.stepper.error)
    where = f"Step {view.cursor:,} of {view.last:,}"
    return f'<div style="margin-bottom:8px">{line(where, soft=True)}{line(view.sentence)}</div>'


def _controls(lab: LabHandle) -> str:
    trace = lab.stepper.trace
    view = controls(trace, lab.stepper.cursor, lab.stepper.error)
    refusals = plural(len(trace.index.refused), "refusal")
    told = f"Command {view.command_number:,} of {view.commands:,}, {refusals} on the whole way"
    return line(told, soft=True) + line(f"Branch {view.branch}", soft=True)


def _agenda(lab: LabHandle) -> str:
    return tables.agenda(agenda(lab.stepper.trace, lab.stepper.cursor, limit=_ROWS))


def _state(lab: LabHandle) -> str:
    return tables.state(state(lab.stepper.trace, lab.stepper.cursor, limit=_ROWS))


def _timeline(lab: LabHandle) -> str:
    return pictures.timeline(timeline(lab.stepper.trace, lab.stepper.cursor, width=pictures.LANES_EVENTS))


def _process_graph(lab: LabHandle) -> str:
    stepper, model = lab.stepper, lab.model
    look = shown_instance(stepper.trace, model, stepper.selection, {})
    return pictures.process_graph(process_graph(stepper.trace, stepper.cursor, model, **look))


def _sequence(lab: LabHandle) -> str:
    return pictures.sequence(sequence(lab.stepper.trace, lab.stepper.cursor, limit=_ROWS))


def _events(lab: LabHandle) -> str:
    return tables.events(event_rows(lab.stepper.trace, lab.stepper.cursor, limit=_ROWS))


def _lab(lab: LabHandle) -> str:
    parts = {"Timeline": _timeline, "State": _state, "Next": _agenda}
    shown = "".join(heading(title) + part(lab) for title, part in parts.items())
    more = {"Process graph": _process_graph, "Sequence": _sequence, "Events": _events}
    return shown + "".join(folded(title, part(lab)) for title, part in more.items())


_FACES: Mapping[str, Callable[[LabHandle], str]] = {
    "lab": _lab,
    "controls": _controls,
    "agenda": lambda lab: (
        heading("Next") + _agenda(lab) + heading("Command") + tables.commands(forms(lab.model))
    ),
    "state": _state,
    "timeline": _timeline,
    "process_graph": _process_graph,
    "events": _events,
    "sequence": _sequence,
}
