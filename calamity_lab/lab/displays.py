"""What a lab shows at its cursor: states and events, widgets, figures, a page and a graph."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from calamity_lab import frames
from calamity_lab.errors import InvalidValue, UnknownAttribute
from calamity_lab.frames import History
from calamity_lab.kernel.arguments import a_text, a_text_or_none, a_whole_number, refuse_unknown
from calamity_lab.kernel.event_store import checked_stream_id
from calamity_lab.kernel.identity import Identity, by_name
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab.code import Code, to_code, to_test
from calamity_lab.lab.results import (
    Branches,
    FieldChanges,
    Found,
    PendingCommands,
    SelectedEvents,
    States,
    Steps,
    Why,
    WhyNot,
)
from calamity_lab.model import Model
from calamity_lab.text import format_value, plural
from calamity_lab.trace.selection import selected_events
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Moment, Trace
from calamity_lab.views.agenda import agenda
from calamity_lab.views.details import details
from calamity_lab.views.events import event_rows
from calamity_lab.views.mermaid import to_mermaid
from calamity_lab.views.process_graph import not_sent, process_graph
from calamity_lab.views.search import FirstMoment, FoundTexts, first_moment
from calamity_lab.views.sequence import Correlation, sequence
from calamity_lab.views.state import state
from calamity_lab.views.versions import history_of, lane_named
from calamity_lab.views.why import subject, when, why

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from networkx import MultiDiGraph

    from calamity_lab.figures.style import Theme
    from calamity_lab.views.lanes import Axis
    from calamity_lab.widgets.view_widget import ViewWidget


class Displays:
    """What a model and a stepper show; each view imports its libraries when it is first used."""

    stepper: Stepper

    @property
    def model(self) -> Model:
        """The classes of the branch that is looked at."""
        return self.trace.branch.model

    def send(self, *commands: Any) -> Any:
        """Put commands on the agenda; the form calls this. The views of one moment refuse."""
        raise InvalidValue(
            f"lab.at({self.cursor}) stays as it is. To send commands from there, use the lab: "
            f"lab.goto({self.cursor}), then lab.send(...)"
        )

    @property
    def exploration(self) -> Any:
        """What was explored last from here; None where nothing was."""
        return None

    def explore(self, **given: Any) -> Any:
        """Follow everything that may happen from this moment. The views of one moment refuse."""
        raise InvalidValue(
            f"lab.at({self.cursor}) stays as it is. To explore from there, use explore(lab.at({self.cursor}))"
            f", or the lab: lab.goto({self.cursor}), then lab.explore()"
        )

    # what is true at the cursor

    @property
    def cursor(self) -> int:
        """The index of the current moment; 0 is the moment before anything happened."""
        return self.stepper.cursor

    @property
    def trace(self) -> Trace:
        """The recorded moments of the current branch."""
        return self.stepper.trace

    @property
    def branches(self) -> Branches:
        """All branches by name; each act in the past made a new one, or entered one again."""
        return Branches(self.trace)

    @property
    def moment(self) -> Moment:
        """The moment at the cursor."""
        return self.stepper.moment

    @property
    def run(self) -> Run:
        """The run at the cursor: a value that `advance` and other labs can continue."""
        return self.moment.run

    @property
    def stack(self) -> Stack:
        """The whole system at the cursor, as a value."""
        return self.moment.stack

    @property
    def agenda(self) -> PendingCommands:
        """The pending commands at the cursor, in the order in which they will run."""
        return PendingCommands(self.moment.agenda)

    @property
    def aggregates(self) -> States:
        """The aggregates at the cursor, by stream id."""
        trace, cursor, types = self.trace, self.cursor, by_name(self.model.aggregates)
        return States(
            "aggregate", self.stack.aggregates, lambda: frames.aggregate_table(trace, cursor, types)
        )

    @property
    def process_managers(self) -> States:
        """The process manager instances at the cursor, by stream id."""
        trace, cursor = self.trace, self.cursor
        managers = self.stack.process_managers
        return States("process manager", managers, lambda: frames.process_manager_table(trace, cursor))

    @property
    def projections(self) -> States:
        """The projections at the cursor, by name; with keys by name and key, as in ``"SeatsFree-Hamlet"``.

        One whose callback failed is a `calamity_lab.trace.projections.BrokenProjection` from that event on.
        """
        trace, cursor = self.trace, self.cursor
        projected = trace.index.projected_at(cursor)
        return States("projection", projected, lambda: frames.projection_table(trace, cursor))

    @property
    def events(self) -> History:
        """The events recorded up to the cursor."""
        index = self.trace.index
        return History(index.events.take(index.events_at(self.cursor)))

    @property
    def selected(self) -> SelectedEvents:
        """The events that are selected, by `select` or in a widget, before and after the cursor.

        A single message shows itself whole: its fields, ids and time, its cause and its effects.
        """
        trace, selection = self.trace, self.stepper.selection
        return SelectedEvents(selected_events(trace, selection), details(trace, selection))

    @property
    def history(self) -> History:
        """The events recorded up to the cursor, as a history to export; the same as `events`."""
        return self.events

    @property
    def steps(self) -> Steps:
        """The steps taken up to the cursor."""
        moments = self.trace.branch.moments.iterate(1, self.cursor + 1)
        return Steps([moment.step for moment in moments if moment.step])

    # why and finding

    def why(self, what: Any, field: str | None = None) -> Why:
        """Why something is as it is at the cursor: the chain of causes, up to the submitted command.

        ``lab.why("BankAccount-bob", "balance")`` is about a value: the event that gave it, the command of the
        event, what sent the command, and so on. Where a field of the event equals the value, the chain says
        ``copied from``, and follows that field further up; else it says ``computed``. Without ``field`` it is
        about the last event of the stream. ``what`` may also be the position of an event, an event of
        `events`, a step such as a rejection, or a pending command, as in ``lab.why(lab.agenda.pending[0])``.
        """
        asked = subject(self.trace, self.cursor, what)
        return Why(why(self.trace, self.cursor, asked, field, self._types))

    def when(self, stream_id: str | Identity, field: str) -> FieldChanges:
        """Every moment of the branch at which a field of a stream changed, also after the cursor."""
        lane = lane_named(self.trace, stream_id)
        changes = when(self.trace, lane, field, self._types)
        times = plural(len(changes), "change")
        return FieldChanges(f"{times} of {field} in {format_value(lane.identity.stream_id)}", changes)

    def find(self, text: str) -> Found:
        """Every moment of the branch at which a text appears: in streams, events, rejections and commands."""
        text = a_text("find(text)", text, "find('carol')")
        if not text.strip():
            raise InvalidValue("find(text): the text is empty; give a part of an id, a name or a value")
        found = FoundTexts(self.trace, text)
        return Found(f"{plural(len(found), 'match', 'matches')} for “{format_value(text, 60)}”", found)

    def bisect(self, predicate: Callable[[Moment], bool]) -> FirstMoment:
        """The first moment of the branch at which a predicate holds, as in ``lambda m: len(m.agenda) > 3``.

        Where it holds at the last moment, it is found by halving, and checked at up to 1,000 moments; where
        one of them shows that it does not hold ever after, and where it does not hold at the last one, the
        moments are asked one by one. The answer says which, and how often the predicate was asked.
        """
        return first_moment(self.trace, predicate)

    def why_not(self, command: type) -> WhyNot:
        """Why a command was not sent: the process managers that could send it, and what each waits for."""
        return WhyNot(not_sent(self.trace, self.cursor, self.model, command))

    @property
    def _types(self) -> Mapping[str, type]:
        return by_name((*self.model.aggregates, *self.model.process_managers))

    # views

    @property
    def state(self) -> ViewWidget:
        """The state of every aggregate and process manager, with changed fields marked."""
        return self._widget("state")

    @property
    def timeline(self) -> ViewWidget:
        """One lane per stream, with the events in order of position."""
        return self._widget("timeline")

    @property
    def process_graph(self) -> ViewWidget:
        """Which commands, events and process managers cause which, and the status of one instance."""
        return self._widget("process_graph")

    @property
    def sequence(self) -> ViewWidget:
        """The messages that the submitted command at the cursor caused, in order."""
        return self._widget("sequence")

    @property
    def log(self) -> ViewWidget:
        """What happened as one list: commands, rejections, events, reactions, changes of projections."""
        return self._widget("log")

    @property
    def table(self) -> ViewWidget:
        """The recorded events as a table: the log, of which only the events are listed."""
        return self._widget("log", log={"only": "events"})

    @property
    def comparison(self) -> ViewWidget:
        """Two branches side by side: where they part, and what differs; `compare` has it in Python."""
        return self._widget("comparison")

    def plot_timeline(
        self, ax: Axes | None = None, *, by: Axis = "position", theme: Theme | None = None
    ) -> Axes:
        """The timeline as matplotlib axes: by the position of the events, or by their time with gaps folded.

        As every ``plot_*``: without ``ax`` on a new figure; the ``theme`` is "light" or "dark", and without
        one matplotlib's own settings are followed.
        """
        from calamity_lab.figures import plot_timeline

        return plot_timeline(self.stepper.trace, self.stepper.cursor, ax=ax, by=by, theme=theme)

    def plot_process_managers(
        self,
        ax: Axes | None = None,
        *,
        manager: str | None = None,
        instance: str | None = None,
        theme: Theme | None = None,
    ) -> Axes:
        """Plot the process graph with the status of one instance on matplotlib axes.

        ``instance`` is an id. By default it is the instance of the current step, or else the newest one that
        has not stopped.
        """
        from calamity_lab.figures import plot_process_managers

        trace, cursor = self.stepper.trace, self.stepper.cursor
        manager = a_text_or_none("plot_process_managers(manager)", manager, "'Transfer'")
        instance = a_text_or_none("plot_process_managers(instance)", instance, "'t1'")
        graph = process_graph(trace, cursor, self.model, manager=manager, instance=instance)
        return plot_process_managers(graph, ax=ax, theme=theme)

    def plot_sequence(
        self, ax: Axes | None = None, *, correlation: Correlation = None, theme: Theme | None = None
    ) -> Axes:
        """Plot the messages of the submitted command at the cursor, or of a correlation id."""
        from calamity_lab.figures import plot_sequence

        trace, cursor = self.stepper.trace, self.stepper.cursor
        correlation = _checked("plot_sequence(correlation)", correlation)
        return plot_sequence(sequence(trace, cursor, correlation=correlation, limit=24), ax=ax, theme=theme)

    def plot_state(self, ax: Axes | None = None, *, query: str = "", theme: Theme | None = None) -> Axes:
        """Plot the aggregates and process managers as cards, changed fields first.

        A ``query`` keeps only the cards whose text contains it.
        """
        from calamity_lab.figures import plot_state

        query = a_text("plot_state(query)", query, "query='open'")
        view = state(self.stepper.trace, self.stepper.cursor, query=query, limit=24)
        return plot_state(view, ax=ax, theme=theme)

    def plot_field(
        self, stream_id: str, field: str, ax: Axes | None = None, *, theme: Theme | None = None
    ) -> Axes:
        """Plot the value of a field at each version: ``lab.plot_field("Order-7", "total")``."""
        from calamity_lab.figures import plot_field

        stream_id = checked_stream_id(stream_id, "plot_field needs the id of a stream")
        field = a_text("plot_field(field)", field, "'balance', or 'lines[0].price'")
        history = history_of(self.stepper.trace, self.stepper.cursor, stream_id, field, types=self._types)
        return plot_field(history, ax=ax, name=f"{field} of {stream_id}", theme=theme)

    def plot_events(self, ax: Axes | None = None, *, query: str = "", theme: Theme | None = None) -> Axes:
        """Plot the events around the cursor as a table; a ``query`` keeps only those that contain it."""
        from calamity_lab.figures import plot_events

        query = a_text("plot_events(query)", query, "query='Deposited'")
        view = event_rows(self.stepper.trace, self.stepper.cursor, limit=30, query=query)
        return plot_events(view, ax=ax, theme=theme)

    def plot_agenda(self, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot the pending commands, in order."""
        from calamity_lab.figures import plot_agenda

        return plot_agenda(agenda(self.stepper.trace, self.stepper.cursor, limit=30), ax=ax, theme=theme)

    def to_networkx(self) -> MultiDiGraph[str]:
        """The commands and events up to the cursor, as a networkx graph of causes."""
        from calamity_lab.figures import to_networkx

        return to_networkx(self.stepper.trace, self.stepper.cursor)

    def to_test(self, moment: int | None = None) -> Code:
        """The command at the cursor, or at another moment, as a test in the words of `calamity_lab.testing`.

        At a step of a process manager, the test is about what the process manager makes of the event. Before
        it are the events of the aggregate, or of the instance. Raises `InvalidValue` where no command is, and
        for a value that no code is known to make.
        """
        return to_test(self.stepper.trace, self._index("to_test(moment)", moment))

    def to_code(self, moment: int | None = None) -> Code:
        """A cell that makes the same lab, puts the inputs of this branch in, and goes to the moment.

        ``moment`` is the cursor unless it is given. Times and ids are the same where a seed and a ticking
        clock give them, and no replay has edited the branch. Raises `InvalidValue` for a lab that began with
        pending commands, or over a database.
        """
        return to_code(self.stepper.trace, self._index("to_code(moment)", moment), self.model)

    def _index(self, asked: str, moment: int | None) -> int:
        """The index of a moment; a negative one counts from the last moment."""
        if moment is None:
            return self.stepper.cursor
        return self.stepper.trace[a_whole_number(asked, moment, low=None)].index

    def to_html(self, path: str | PathLike[str], *, title: str | None = None, **unknown: Any) -> Path:
        """Write the run of the current branch to one HTML file that needs no kernel and no network.

        The page opens at the cursor, and ``run.html#42`` opens at moment 42. For a run of more than 5,000
        moments, the page keeps 2,000 moments at which a command is completed. The same run gives the same
        bytes.
        """
        refuse_unknown("to_html()", unknown, ("path", "title"))
        from calamity_lab.widgets.page import to_html

        return to_html(self, path, title)

    def to_mermaid(self, *, correlation: Correlation = None, limit: int = 100) -> str:
        """The messages of the submitted command at the cursor as Mermaid text, for a README.

        ``correlation`` is another correlation id, or ``ALL`` for the whole run. ``limit`` is a number of
        commands. Messages after the cursor have a grey background.
        """
        trace, cursor = self.stepper.trace, self.stepper.cursor
        correlation = _checked("to_mermaid(correlation)", correlation)
        limit = a_whole_number("to_mermaid(limit)", limit, low=1)
        return to_mermaid(sequence(trace, cursor, correlation=correlation, first=0, limit=limit))

    def _widget(self, face: str, **options: Mapping[str, Any]) -> ViewWidget:
        from calamity_lab.widgets.view_widget import ViewWidget

        return ViewWidget(self, face, **options)


class AtMoment(Displays):
    """The views of a lab at one moment of a branch; they stay as they are when the lab steps or forks."""

    def __init__(self, trace: Trace, moment: int) -> None:
        self.stepper = Stepper(trace, fixed_at=moment)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or hasattr(type(self), name):
            return object.__getattribute__(self, name)  # whose own error it is
        advice = f"lab.at(...) has no {name!r}: it stays at its step. To move or to act, use the lab itself"
        raise UnknownAttribute(advice, name=name, obj=self)

    def __repr__(self) -> str:
        return (
            f"Step {self.cursor:,} of {self.trace.last:,} on branch {self.trace.branch.name!r}, which stays. "
            "Views: state, log, timeline, process_graph, sequence, table; plot_state(), plot_timeline(), ..."
        )


def _checked(asked: str, correlation: Correlation) -> Correlation:
    """A correlation id, ALL for the whole run, or None for the one at the cursor."""
    if correlation is ALL:
        return correlation
    return a_text_or_none(asked, correlation, "lab.events[0].correlation_id; ALL is the whole run")


# A call that goes forward shows a progress bar once it takes long.

AFTER = 1.0
"""Seconds after which a call takes long."""


@contextmanager
def progress(stepper: Stepper, name: str) -> Iterator[None]:
    """Show a progress bar while the stepper goes forward, in a notebook or a terminal."""
    with counting(name, "commands") as show:
        done = 0

        def passing(moment: Moment) -> None:
            nonlocal done
            done += moment.step is not None and moment.step.ends
            before(moment)
            show(done, len(moment.agenda))

        before, stepper.passing = stepper.passing, passing
        try:
            yield
        finally:
            stepper.passing = before


@contextmanager
def counting(name: str, unit: str) -> Iterator[Callable[[int, int], object]]:
    """Show how many are done, and how many of those that are known are left, once that takes long."""
    if not is_watched():
        yield lambda done, left: None
        return
    bar = _Bar(name, unit)
    try:
        yield bar.show
    finally:
        bar.close()


def is_watched() -> bool:
    """Whether a person can see a progress bar, and none has switched it off, as tqdm lets them."""
    is_off = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return not is_off and (_is_notebook() or sys.stderr.isatty())


def _is_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


class _Bar:
    """A progress bar; the bar itself, and its library, come once the call takes long."""

    def __init__(self, name: str, unit: str) -> None:
        self._name, self._unit, self._end = name, unit, monotonic() + AFTER
        self._bar: Any = None

    def show(self, done: int, left: int) -> None:
        if self._bar is None and monotonic() < self._end:
            return
        if self._bar is None:
            self._bar = self._opened(done, done + left)
        self._bar.total = done + left
        self._bar.update(done - self._bar.n)

    def _opened(self, done: int, total: int) -> Any:
        if _is_notebook():
            from tqdm.notebook import tqdm
        else:
            from tqdm.std import tqdm
        return tqdm(desc=self._name, unit=f" {self._unit}", total=total, initial=done, leave=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
