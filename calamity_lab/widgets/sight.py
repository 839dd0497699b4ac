"""What one widget has in sight: its views at the cursor, and what of them is not sent yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from calamity_lab.text import format_value
from calamity_lab.views.agenda import agenda
from calamity_lab.views.chart import Chart, Charts
from calamity_lab.views.controls import Tone, controls
from calamity_lab.views.events import event_rows
from calamity_lab.views.form import CommandForm, forms
from calamity_lab.views.found import found
from calamity_lab.views.matter import has_matter
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.selected import selected, told
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.views.state_rows import KeptRows
from calamity_lab.widgets import columns
from calamity_lab.widgets.desk import Desk
from calamity_lab.widgets.following import shown_instance
from calamity_lab.widgets.looks import TABS
from calamity_lab.widgets.patches import patch

_WAY_OUT = "To go on without this command, take it back with the ✕ beside it, under Next"
_WAY_OUT_BY_CALL = "To go on without this command, take it back with abandon()"


@dataclass(frozen=True, slots=True)
class Fact:
    """The last fact as one sentence, and where the cursor stands: the foot of every widget."""

    cursor: int
    last: int
    sentence: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Tabs:
    """Which of the views that share a place is shown, and which are there; those not shown cost nothing."""

    shown: str
    there: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pointed:
    """What stands in the lanes at the place that is pointed at, as a sentence."""

    place: int
    sentence: str


@dataclass(frozen=True, slots=True)
class FormView:
    """The commands that can be sent, what is wrong with the one that was not, and how many were."""

    forms: tuple[CommandForm, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    sent: int = 0


class Sight:
    """The parts of a widget, how each is looked at, and what the front end knows of them already."""

    def __init__(self, desk: Desk, parts: tuple[str, ...]) -> None:
        self.desk = desk
        self.parts = parts
        self.looks: dict[str, dict[str, Any]] = {}
        self.form = FormView(forms(desk.model) if "form" in parts else ())
        self._told: tuple[str, Tone] | None = None
        self._sent: dict[str, Any] = {}
        self.charts = Charts()
        self.rows = KeptRows()

    def look(self, view: str, parameters: Mapping[str, Any]) -> None:
        """Look at a view otherwise; what is not mentioned stays as it was."""
        self.looks[view] = {**self.looks.get(view, {}), **parameters}

    def tell(self, sentence: str, tone: Tone) -> None:
        """Say something in the foot until the next fact."""
        self._told = (format_value(sentence), tone)

    def hush(self) -> None:
        """Let the foot tell the fact of the moment again."""
        self._told = None

    def tell_found(self) -> None:
        """Let the foot, which is spoken, tell how many are found; the fact where nothing is searched."""
        sentence = _PARTS["found"](self).sentence
        self._told = (sentence, "plain") if sentence else None

    def forget(self) -> None:
        """Take it that the front end knows nothing."""
        self._sent = {}

    def views(self) -> dict[str, Any]:
        """The views in sight, by their part."""
        return {part: _PARTS[part](self) for part in self.parts if self._in_sight(part)}

    def changes(self) -> dict[str, dict[str, Any]]:
        """What is new since the last call, by part; it counts as sent from now on."""
        views = self.views()
        patches = {part: _patch(self._sent.get(part), view) for part, view in views.items()}
        self._sent.update(views)
        return {part: changed for part, changed in patches.items() if changed}

    @property
    def tab(self) -> str:
        """The view that is shown of those that share a place."""
        return str(self.looks.get("tabs", {}).get("shown", TABS[0]))

    @property
    def tabs(self) -> tuple[str, ...]:
        """The views that share a place and have matter; the one that is shown is never taken away."""
        trace, model = self.desk.stepper.trace, self.desk.model
        return tuple(tab for tab in TABS if tab == self.tab or has_matter(tab, trace, model))

    def look_at(self, part: str) -> dict[str, Any]:
        """How a part is looked at."""
        return self.looks.get(part, {})

    def said(self, view: Any) -> Any:
        """A view of the controls, with what is to be said instead of the moment's fact."""
        sentence, tone = self._told or (view.sentence, view.tone)
        if tone == "error" and self.desk.stepper.is_stuck:
            sentence = f"{sentence}. {_WAY_OUT if 'agenda' in self.parts else _WAY_OUT_BY_CALL}"
        return replace(view, sentence=sentence, tone=tone)

    def _in_sight(self, part: str) -> bool:
        return "tabs" not in self.parts or part not in TABS or part == self.tab


def _controls(sight: Sight) -> Any:
    stepper = sight.desk.stepper
    return sight.said(controls(stepper.trace, stepper.cursor, stepper.error))


def _fact(sight: Sight) -> Fact:
    view = _controls(sight)
    return Fact(view.cursor, view.last, view.sentence, view.tone)


def _at_cursor(view: Callable[..., Any], part: str, **usually: Any) -> Callable[[Sight], Any]:
    def at_cursor(sight: Sight) -> Any:
        stepper = sight.desk.stepper
        return view(stepper.trace, stepper.cursor, **{**usually, **sight.look_at(part)})

    return at_cursor


def _state(sight: Sight) -> Any:
    stepper, look, model = sight.desk.stepper, sight.look_at("state"), sight.desk.model
    types = {cls.__name__: cls for cls in (*model.aggregates, *model.process_managers)}
    # What is in sight at first: the front end asks for more as somebody scrolls.
    usually = {"limit": 6, "types": types, "kept": sight.rows}
    return state(stepper.trace, stepper.cursor, **{**usually, **look})


def _pointed(sight: Sight) -> Any:
    place = sight.look_at("pointed").get("place", 0)
    return Pointed(place, told(sight.desk.stepper.trace, place))


def _patch(before: Any, view: Any) -> dict[str, Any]:
    return columns.told(view, before) if isinstance(view, Chart) else patch(before, view)


def _process_graph(sight: Sight) -> Any:
    stepper, model = sight.desk.stepper, sight.desk.model
    look = shown_instance(stepper.trace, model, stepper.selection, sight.look_at("process_graph"))
    return process_graph(stepper.trace, stepper.cursor, model, **look)


_PARTS: Mapping[str, Callable[[Sight], Any]] = {
    "fact": _fact,
    "controls": _controls,
    "agenda": _at_cursor(agenda, "agenda", limit=4),
    "form": lambda sight: sight.form,
    "tabs": lambda sight: Tabs(sight.tab, sight.tabs),
    "state": _state,
    "chart": lambda sight: sight.charts.of(sight.desk.stepper.trace),
    "pointed": _pointed,
    "selected": lambda sight: selected(sight.desk.stepper.trace, sight.desk.stepper.selection),
    "process_graph": _process_graph,
    "events": _at_cursor(event_rows, "events", limit=40),
    "found": _at_cursor(found, "found", query="", limit=6),
    "sequence": _at_cursor(sequence, "sequence", limit=16),
}
