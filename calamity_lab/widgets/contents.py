"""What a widget shows: its views at the cursor, and what of them the front end does not have yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from calamity_lab.kernel.identity import by_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.model import Model
from calamity_lab.text import format_value
from calamity_lab.trace.selection import NOTHING, Selection
from calamity_lab.trace.stepper import Journey, Stepper
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import agenda
from calamity_lab.views.branches import BranchTree, branch_tree
from calamity_lab.views.chart import Chart, Charts, Mark
from calamity_lab.views.comparison import comparison
from calamity_lab.views.controls import Tone, controls, has_content
from calamity_lab.views.details import Answer, actions_on, details, stops_view, with_removals
from calamity_lab.views.exploring import ChosenToExplore, ExploredView, Exploring, explored, exploring
from calamity_lab.views.form import CommandForm, Editing, forms
from calamity_lab.views.log import log_rows
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.search import search_results
from calamity_lab.views.selected import described, selected
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import KeptRows, state
from calamity_lab.widgets.options import TABS
from calamity_lab.widgets.patches import chart_patch, patch


class LabHandle(Protocol):
    """A cursor on a recorded run, and the model whose commands can be sent; a `Lab` is one."""

    @property
    def stepper(self) -> Stepper: ...

    @property
    def model(self) -> Model: ...

    def send(self, *commands: Any) -> object:
        """Put commands on the agenda, once it is clear that they can be dispatched."""
        ...

    @property
    def exploration(self) -> Exploring | None:
        """What was explored last."""
        ...

    def explore(self, **given: Any) -> Exploring:
        """Explore from the moment of the cursor."""
        ...

    def to_test(self, moment: int | None = None) -> str:
        """What happened at a moment as a test."""
        ...

    def to_code(self, moment: int | None = None) -> str:
        """The lab at a moment as a cell."""
        ...


_FORMS = Slot[tuple[CommandForm, ...]](most=1)
_WAY_OUT = "To continue without this command, press the ✕ beside it under Next"
_WAY_OUT_BY_CALL = "To continue without this command, call lab.abandon()"


@dataclass(frozen=True, slots=True)
class Fact:
    """The last fact as one sentence, and the moment of the cursor: the foot of every widget.

    ``is_fixed`` is true in the views of ``lab.at(n)``, whose cursor stays.
    """

    cursor: int
    last: int
    sentence: str
    tone: Tone
    is_fixed: bool


@dataclass(frozen=True, slots=True)
class Tabs:
    """The tab that is shown, and the tabs that there are; a tab that is not shown costs nothing."""

    shown: str
    there: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pointed:
    """What the pointer is on in the lanes, as a sentence."""

    mark: Mark | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class FormView:
    """The commands that can be sent, what is wrong with the last one, and how many were sent.

    ``editing`` is the submitted command that the form changes, or before which it inserts another one.
    """

    forms: tuple[CommandForm, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    sent: int = 0
    editing: Editing | None = None


class Contents:
    """The parts of a widget, the options of each, and what the front end already has of them."""

    def __init__(self, lab: LabHandle, parts: tuple[str, ...]) -> None:
        self.lab = lab
        self.parts = parts
        self.options: dict[str, dict[str, Any]] = {}
        self.form = FormView()
        self.typed: tuple[Any, ...] = ()
        self._explored: tuple[Any, ExploredView | None] = (None, None)
        self._said: tuple[str, Tone] | None = None
        self._answer: tuple[Selection, Answer | None] = (NOTHING, None)
        self.journey: Journey | None = None
        self._sent: dict[str, Any] = {}
        self.charts = Charts()
        self.rows = KeptRows()

    def set_options(self, view: str, options: Mapping[str, Any]) -> None:
        """Change how a view is looked at; options that are not named stay as they were."""
        self.options[view] = {**self.options.get(view, {}), **options}

    def say(self, sentence: str, tone: Tone) -> None:
        """Show a sentence in the foot until the next fact."""
        self._said = (format_value(sentence), tone)

    def answer_with(self, answer: Answer) -> None:
        """Show in the details what an action found out, until anything but its links is selected."""
        self.set_options("details", {"shown": True})
        self._answer = (self.lab.stepper.selection, answer)

    @property
    def answer(self) -> Answer | None:
        """What the last action found out about what is selected, or with a link to what is selected."""
        selection, answer = self._answer
        now, trace = self.lab.stepper.selection, self.lab.stepper.trace
        if answer is None or selection == now:
            return answer
        mark = selected(trace, now).mark
        return answer if mark and any(mark == link.mark for link in answer.links) else None

    @property
    def fact(self) -> tuple[str, Tone]:
        """The sentence in the foot, and its tone."""
        view = _controls(self)
        return view.sentence, view.tone

    def interrupted(self) -> None:
        """Stop what is under way, and say where it stands."""
        self.journey, self.lab.stepper.was_interrupted = None, True
        self.hush()

    @property
    def under_way(self) -> bool:
        """Whether a move was made in part only, and goes on when it is asked to."""
        return self.journey is not None and self.journey.is_open

    def hush(self) -> None:
        """Show the fact of the moment in the foot again."""
        self._said = None

    def say_matches(self) -> None:
        """Show in the foot, which is spoken, how many matches there are; without a search, the fact."""
        sentence = _PARTS["search"](self).sentence
        self._said = (sentence, "plain") if sentence else None

    def forget(self) -> None:
        """Send everything with the next answer."""
        self._sent = {}

    def views(self) -> dict[str, Any]:
        """The views that are shown, by their part."""
        return {part: _PARTS[part](self) for part in self.parts if self._in_sight(part)}

    def changes(self) -> dict[str, dict[str, Any]]:
        """What is new since the last call, by part; it counts as sent from now on."""
        views = self.views()
        patches = {part: _patch(self._sent.get(part), view) for part, view in views.items()}
        self._sent.update(views)
        return {part: changed for part, changed in patches.items() if changed}

    @property
    def tab(self) -> str:
        """The tab that is shown."""
        return str(self.options.get("tabs", {}).get("shown", TABS[0]))

    @property
    def tabs(self) -> tuple[str, ...]:
        """The tabs that have something to show; the one that is shown is never taken away."""
        trace, model = self.lab.stepper.trace, self.lab.model
        there = {self.tab, *(tab for tab in TABS if has_content(tab, trace, model))}
        if self.lab.stepper.stops.watches or self.lab.exploration is not None:
            there.add("exploring")
        return tuple(tab for tab in TABS if tab in there)

    @property
    def types(self) -> dict[str, type]:
        """The classes by which states older than the trace are made, by name."""
        return by_name((*self.lab.model.aggregates, *self.lab.model.process_managers))

    def options_of(self, part: str) -> dict[str, Any]:
        """The options of a part."""
        return self.options.get(part, {})

    @property
    def chosen(self) -> ChosenToExplore:
        """What a person chose to explore."""
        return ChosenToExplore(self.typed, **self.options_of("exploring"))

    @property
    def explored(self) -> ExploredView | None:
        """What was explored last; worked out again only when more was found."""
        found = self.lab.exploration
        if found is None:
            return None
        unfolded = self.chosen.unfolded
        key = (id(found), found.turn, found.is_open, unfolded)
        if self._explored[0] != key:
            self._explored = (key, explored(found, unfolded))
        return self._explored[1]

    def at_cursor(self, part: str, **options: Any) -> Any:
        """A view of the trace at the cursor, with other options than those that a person chose."""
        stepper, (view, usually) = self.lab.stepper, _AT_CURSOR[part]
        return view(stepper.trace, stepper.cursor, **{**usually(self), **self.options_of(part), **options})

    def with_sentence(self, view: Any) -> Any:
        """A view of the controls, with the sentence that is shown instead of the moment's fact."""
        sentence, tone = self._said or (view.sentence, view.tone)
        if branching := self.lab.stepper.branching:
            sentence = format_value(branching if self._said is None else f"{sentence}. {branching}")
        if self._said is None and self.lab.stepper.was_interrupted:
            sentence, tone = self.lab.stepper.interruption, "plain"
        elif self._said is None and self.lab.stepper.stopped and tone != "error":
            sentence = f"{self.lab.stepper.stopped}. {sentence}"
        if tone == "error" and self.lab.stepper.is_stuck:
            sentence = f"{sentence}. {_WAY_OUT if 'agenda' in self.parts else _WAY_OUT_BY_CALL}"
        return replace(view, sentence=sentence, tone=tone)

    def _in_sight(self, part: str) -> bool:
        return "tabs" not in self.parts or part not in TABS or part == self.tab


def _controls(contents: Contents) -> Any:
    stepper = contents.lab.stepper
    view = controls(stepper.trace, stepper.cursor, stepper.error)
    return contents.with_sentence(replace(view, is_stopped=bool(stepper.stopped)))


def _fact(contents: Contents) -> Fact:
    view = _controls(contents)
    return Fact(view.cursor, view.last, view.sentence, view.tone, contents.lab.stepper.is_fixed)


_AT_CURSOR: Mapping[str, tuple[Callable[..., Any], Callable[[Contents], dict[str, Any]]]] = {
    "agenda": (
        agenda,
        lambda contents: {
            "limit": 4,
            "notes": contents.lab.stepper.notes,
            "offers": not contents.lab.stepper.is_fixed,
        },
    ),
    # What can be seen at first: the front end asks for more as somebody scrolls.
    "state": (
        state,
        lambda contents: {"limit": 6, "types": contents.types, "kept": contents.rows},
    ),
    "log": (log_rows, lambda contents: {"chart": contents.charts.of(contents.lab.stepper.trace)}),
    "comparison": (comparison, lambda _contents: {}),
    "search": (search_results, lambda _contents: {"query": "", "limit": 6}),
    "sequence": (sequence, lambda _contents: {"limit": 16}),
}
"""The views of the trace at the cursor, each with its usual options."""


def _pointed(contents: Contents) -> Any:
    mark = contents.options_of("pointed").get("mark")
    return Pointed() if mark is None else Pointed(mark, described(contents.lab.stepper.trace, mark))


def _details(contents: Contents) -> Any:
    stepper, options = contents.lab.stepper, contents.options_of("details")
    view = details(stepper.trace, stepper.selection, **{"shown": False, **options})
    if not view.shown:
        return view
    actions = with_removals(actions_on(stepper.trace, stepper.selection), stepper.stops)
    possible = tuple(
        action
        for action in actions
        if (action.keeps or not stepper.is_fixed)
        and (action.verb != "show_in_log" or "tabs" in contents.parts)
    )
    return replace(view, actions=possible, answer=contents.answer)


def _exploring(contents: Contents) -> Any:
    stepper = contents.lab.stepper
    return exploring(stepper.trace, stepper.cursor, stepper.stops.watches, contents.chosen, contents.explored)


def _branches(contents: Contents) -> BranchTree:
    return branch_tree(contents.lab.stepper.trace, **contents.options_of("branches"))


def _form(contents: Contents) -> FormView:
    """The form with the commands of the branch that is looked at."""
    model = contents.lab.model
    return replace(contents.form, forms=model.memo.once(_FORMS, lambda: forms(model)))


def _stops(contents: Contents) -> Any:
    stepper = contents.lab.stepper
    # Only the lab as a whole has the list in which breakpoints are set.
    selection = stepper.selection if "tabs" in contents.parts else None
    return stops_view(stepper.stops, stepper.trace, stepper.cursor, selection)


def _patch(before: Any, view: Any) -> dict[str, Any]:
    return chart_patch(view, before) if isinstance(view, Chart) else patch(before, view)


def _process_graph(contents: Contents) -> Any:
    stepper, model = contents.lab.stepper, contents.lab.model
    options = shown_instance(stepper.trace, model, stepper.selection, contents.options_of("process_graph"))
    return process_graph(stepper.trace, stepper.cursor, model, **options)


_PARTS: Mapping[str, Callable[[Contents], Any]] = {
    "fact": _fact,
    "controls": _controls,
    "branches": _branches,
    "form": _form,
    "tabs": lambda contents: Tabs(contents.tab, contents.tabs),
    "stops": _stops,
    "chart": lambda contents: contents.charts.of(contents.lab.stepper.trace),
    "pointed": _pointed,
    "selected": lambda contents: selected(contents.lab.stepper.trace, contents.lab.stepper.selection),
    "details": _details,
    "process_graph": _process_graph,
    "exploring": _exploring,
    **{part: partial(Contents.at_cursor, part=part) for part in _AT_CURSOR},
}


def shown_instance(
    trace: Trace, model: Model, picked: Selection, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of the process graph: it follows an instance that was selected since.

    ``options`` is what a person chose there; ``passed`` is what was selected at that time, and gives way.
    """
    chosen = {name: value for name, value in options.items() if name != "passed"}
    stream_id = _instance(trace, picked)
    category = (stream_id or "").partition("-")[0]
    if stream_id is None or stream_id == options.get("passed") or not _knows(model, category):
        return chosen
    return {"manager": category, "instance": stream_id}


def _instance(trace: Trace, picked: Selection) -> str | None:
    """The stream id of the instance that was picked out, by its lane or by one of its steps."""
    if picked.moment is not None and 0 < picked.moment <= trace.last:
        step = trace[picked.moment].step
        return step.stream_id if step is not None and step.at_process_manager else None
    lane = None if picked.stream_id is None else trace.index.lane_numbers.get(picked.stream_id)
    is_instance = lane is not None and trace.index.lanes[lane].kind == "process manager"
    return picked.stream_id if is_instance else None


def _knows(model: Model, category: str) -> bool:
    return category in by_name(model.process_managers)
