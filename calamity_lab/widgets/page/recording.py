"""A run as one plain value: what the lab shows at every moment, so that a page needs nobody to ask."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from calamity_lab.errors import ModelError
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.identity import Identity, by_name
from calamity_lab.kernel.steps import Elapsed
from calamity_lab.model import Model
from calamity_lab.text import format_value
from calamity_lab.trace.inputs import Dropped
from calamity_lab.trace.selection import Selection, waiting
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.stops import EndsCascade
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import UNDECIDED
from calamity_lab.views.chart import Chart, Charts, Mark
from calamity_lab.views.controls import has_content, time_of
from calamity_lab.views.counters import counters, node
from calamity_lab.views.details import details
from calamity_lab.views.instance_status import InstanceStatus, flow_at
from calamity_lab.views.instances import MOST_PENDING, Instance
from calamity_lab.views.log import log_rows
from calamity_lab.views.process_graph import ProcessGraphView, status_of
from calamity_lab.views.scenes import RANKS
from calamity_lab.views.search import found_steps, streams
from calamity_lab.views.search_index import members
from calamity_lab.views.selected import selected
from calamity_lab.views.state import absent
from calamity_lab.widgets.actions import selection_from
from calamity_lab.widgets.contents import Contents, LabHandle
from calamity_lab.widgets.options import TABS
from calamity_lab.widgets.patches import chart_patch, plain

MOST_MOMENTS = 5_000
"""A run with at most this many moments is kept whole."""

THINNED = 2_000
"""The most moments in a page; of a longer run, evenly chosen moments at which a command is done."""

PENDING = 36
"""At each moment the page has this many pending commands."""

# A page has one branch.
_TABS = tuple(tab for tab in TABS if tab not in ("comparison", "exploring"))
_EVERY = 10**9
_OPTIONS: Mapping[str, Mapping[str, int]] = {
    "agenda": {"limit": PENDING, "offers": False},
    "state": {"limit": _EVERY},
    "sequence": {"limit": 100},
}


@dataclass(frozen=True)
class Reader:
    """Looks at a run moment by moment, without moving the lab's own cursor.

    ``broken`` is what a callback of the model did at the end of the run, where one broke.
    """

    stepper: Stepper
    model: Model
    broken: ModelError | None

    def send(self, *_commands: Any) -> None:
        """Nothing: a reader changes nothing."""

    def to_test(self, _moment: int | None = None) -> str:
        """Nothing: a page writes no code."""
        return ""

    to_code = to_test

    @property
    def exploration(self) -> None:
        """Nothing: a page explores nothing."""

    def explore(self, **_given: Any) -> Any:
        """Nothing, either."""

    @classmethod
    def of(cls, lab: LabHandle) -> Reader:
        """A reader of a lab's current branch."""
        stepper, error = copy(lab.stepper), lab.stepper.error
        stepper.error = None
        at_end = stepper.cursor == stepper.trace.last
        return cls(stepper, lab.model, error if at_end and isinstance(error, ModelError) else None)

    @property
    def at_end(self) -> bool:
        """Whether it looks at the last moment."""
        return self.stepper.cursor == self.stepper.trace.last


def recording(lab: LabHandle) -> dict[str, Any]:
    """What the lab shows at every moment of the current branch, as JSON values; the cursor does not move.

    ``moments`` are those that are kept, ``steps`` their changes by part (see `Packing`), and ``rows`` the
    rows that the changes name by number. The log, the marks of the lanes and what each mark selects are
    kept once: the moment says which of them are past.
    """
    trace = lab.stepper.trace
    moments = kept(trace)
    packing = Packing()
    steps = list(_steps(Reader.of(lab), packing, moments))
    chart = Charts().of(trace)
    return {
        "start": lab.stepper.cursor,
        "last": trace.last,
        "pending": PENDING,
        "tabs": [tab for tab in _TABS if has_content(tab, trace, lab.model)],
        "moments": moments,
        **_ways(trace, moments),
        "log": [plain(row) for row in log_rows(trace, trace.last, chart=chart, first=0, limit=_EVERY).rows],
        "chart": chart_patch(chart, None, many=_EVERY),
        **_selected(trace, chart, packing),
        "searchable": {
            "streams": plain(streams(trace)),
            "rejections": plain(found_steps(trace, "rejection")),
            "faults": plain(found_steps(trace, "fault")),
            "waits": plain(found_steps(trace, "wait")),
        },
        "steps": steps,
        "rows": packing.rows,
    }


def kept(trace: Trace) -> list[int]:
    """The moments that a page keeps: all; of a long run the first, the last, and some that end a command."""
    if len(trace) <= MOST_MOMENTS:
        return list(range(len(trace)))
    completed = trace.index.completed
    stride = max(-(-len(completed) // (THINNED - 2)), 1)
    return sorted({0, trace.last, *(completed[n] for n in range(stride - 1, len(completed), stride))})


def _steps(reader: Reader, packing: Packing, moments: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What each of the moments changed, by part.

    A process graph is a part for each process manager. So is each stream that is not there, from the moment
    at which it was not.
    """
    trace = reader.stepper.trace
    statuses = StatusRecorder(trace, reader.model)
    views, bases = _views(reader, statuses), dict[str, Any]()
    there = (1 << len(trace.index.lanes)) - 1
    for moment in moments:
        reader.stepper.cursor = moment
        changed = {}
        before, there = there, counters(trace, moment).living
        for place in members(before & ~there, 0, len(trace.index.lanes)):
            row = absent(trace, moment, trace.index.lanes[place])
            changed[f"absent {row.stream_id}"] = packing.changes(f"absent {row.stream_id}", row)
        for name, (part, contents) in views.items():
            basis = _BASES.get(part, lambda _reader: None)(reader)
            if basis is not None and _is_same(basis, bases.get(name)):
                continue
            bases[name] = basis
            view = _FOR_PAGES.get(part, _as_it_is)(contents.views()[part], reader)
            if fields := packing.changes(name, view):
                changed[name] = fields
            if part == "process_graph":
                for of, stands in statuses.changed(view):
                    if fields := packing.changes(of, stands):
                        changed[of] = fields
        yield changed


def _views(reader: Reader, statuses: StatusRecorder) -> dict[str, tuple[str, Contents]]:
    """The views by the names that the page knows them by: each with its part, and what it shows."""
    # Of the log and the timeline the page makes its own windows.
    parts = ("controls", "agenda", *(tab for tab in _TABS if tab != "log"))
    views = {part: (part, Contents(reader, (part,))) for part in parts}
    for part, options in _OPTIONS.items():
        if part in views:
            views[part][1].set_options(part, options)
    for manager in [*by_name(reader.model.process_managers)][1:]:
        contents = Contents(reader, ("process_graph",))
        contents.set_options("process_graph", {"manager": manager})
        views[f"process_graph {manager}"] = ("process_graph", contents)
    for part, contents in views.values():
        if part == "process_graph":
            contents.set_options(part, {"status": statuses.status})
    return views


def _as_it_is(view: Any, _reader: Reader) -> Any:
    return view


def _controls(view: Any, reader: Reader) -> Any:
    """There is no way on from the last recorded moment."""
    view = replace(view, at_end=reader.at_end)
    if reader.at_end and reader.broken is not None:
        return replace(view, sentence=format_value(str(reader.broken)), tone="error")
    return view


_FOR_PAGES: Mapping[str, Callable[[Any, Reader], Any]] = {"controls": _controls}


def _under_agenda(reader: Reader) -> tuple[Any, ...]:
    run = reader.stepper.moment.run
    progress, stack = run.progress, run.stack
    # Previews depend on the aggregates; the command in progress has one until it is decided.
    undecided = isinstance(progress, UNDECIDED)
    there = run.agenda, run.faults, progress and progress.pending, undecided
    now = time_of(reader.stepper.trace, reader.stepper.cursor) if stack.deadlines else None
    return *there, stack.aggregates, stack.event_store, stack.deadlines, now


def _under_state(reader: Reader) -> tuple[Any, ...]:
    stack, trace = reader.stepper.moment.stack, reader.stepper.trace
    command = trace[trace.index.command_start(reader.stepper.cursor)]
    projections = trace.index.projected_at(reader.stepper.cursor)
    stores = (stack.aggregates, stack.process_managers, projections)
    return (command, *stores, stack.aggregate_versions, stack.process_manager_versions)


# The objects that a view is made of: while they are the same objects, the view is the same and is not made
# again.
_BASES: Mapping[str, Callable[[Reader], tuple[Any, ...]]] = {
    "agenda": _under_agenda,
    "state": _under_state,
}


def _is_same(basis: tuple[Any, ...], before: Any) -> bool:
    return before is not None and all(one is other for one, other in zip(basis, before, strict=True))


def _waiting(trace: Trace) -> Iterator[tuple[int, Pending]]:
    """What is pending at the end, and all deadlines, each with a moment at which it is there."""
    yield from ((trace.last, each) for each in waiting(trace[trace.last].run))
    for moment in trace.branch.moments:
        if moment.step is not None:
            yield from ((moment.index, each) for each in moment.step.deadlines)


def _selected(trace: Trace, chart: Chart, packing: Packing) -> dict[str, Any]:
    """What is selected at each mark, by each stream and each command, as numbers of rows; and its details."""
    moments = {*chart.columns.steps.moments, *trace.index.dispatched, *trace.index.event_moments} - {0}
    marks = [(moment, Mark("event", n)) for n, moment in enumerate(trace.index.event_moments, 1)]
    marks += [(moment, Mark("step", moment)) for moment in moments]
    changes = enumerate(trace.index.projections.changes, 1)
    marks += [(change.moment, Mark("change", number)) for number, change in changes]
    deadlines = enumerate(trace.index.deadlines, 1)
    marks += [(each.moment, Mark("deadline", number)) for number, each in deadlines]
    names = (lane.identity.stream_id for lane in trace.index.lanes)

    def both(selection: Selection) -> tuple[int, int]:
        found = selected(trace, selection)
        # The id of the command is for Python alone, and long.
        number = packing.number(replace(found, command=""))
        return number, packing.number(details(trace, selection, chosen=found))

    found = {str(mark): both(selection_from(trace, {"mark": str(mark)})) for _, mark in sorted(marks)}
    commands = {
        step.pending.command_id: found[f"step {step.index}"]
        for step in (trace[moment].step for moment in trace.index.dispatched)
        if step is not None
    }
    for at, pending in _waiting(trace):
        if pending.command_id not in commands:
            commands[pending.command_id] = both(Selection(moment=at, command=pending.command_id))
    return {
        "selected": {
            "marks": {mark: number for mark, (number, _) in found.items()},
            "streams": {
                format_value(name): packing.number(selected(trace, Selection(stream_id=name)))
                for name in names
            },
            "commands": commands,
            "types": {key: both(Selection(type=key)) for key in _types(trace)},
        },
        "details": {mark: number for mark, (_, number) in found.items()},
    }


def _types(trace: Trace) -> Iterator[str]:
    """The keys of the types that the process graphs show: those of the model, and others that happened."""
    known = [node(kind, name) for kind in RANKS for name in by_name(trace.branch.model.by_kind[kind])]
    happened = [key for key in counters(trace, trace.last).counts if isinstance(key, str)]
    yield from dict.fromkeys([*known, *sorted(happened)])


def _ways(trace: Trace, moments: Sequence[int]) -> dict[str, list[int]]:
    """Where a step over, a step out and a step back over lead, from each of the moments."""
    completed = list(trace.index.completed)
    places = (bisect_right(completed, moment) for moment in moments)
    return {
        "over": [completed[place] if place < len(completed) else trace.last for place in places],
        "out": [_out(trace, moment) for moment in moments],
        "back_over": [max(trace.index.command_start(moment) - 1, 0) for moment in moments],
    }


def _out(trace: Trace, moment: int) -> int:
    """The moment at which all is done that the command at a moment causes."""
    ends = EndsCascade()
    reached = (each.index for each in trace.branch.moments.iterate(moment + 1) if ends(each))
    return next(reached, trace.last)


class StatusRecorder:
    """The statuses of the instances at moment after moment, each kept until it may have changed.

    The status of an instance stays the same while nothing happens in the cascades that it took part in,
    none of its deadlines is due, nobody takes a command off the agenda, and no new kind of message flow is
    seen. It is not kept while more commands are pending than its history is searched for.
    """

    def __init__(self, trace: Trace, model: Model) -> None:
        self._trace = trace
        self._model = model
        self._statuses: dict[int, InstanceStatus] = {}
        self._asked: dict[int, int] = {}
        self._last: dict[int, InstanceStatus] = {}
        self._taking_part: dict[str, set[int]] = {}
        self._touched: dict[int, int] = {}
        self._all_touched = 0
        self._flow: object = None
        self._upto = 0
        self._dropped = {entry.at for entry in trace.branch.inputs if isinstance(entry.input, Dropped)}

    def changed(self, graph: ProcessGraphView) -> Iterator[tuple[str, InstanceStatus]]:
        """The key and the status of each listed instance whose status is another than the last time."""
        for instance in graph.instances:
            status = self.status(graph.cursor, graph.manager, instance)
            if self._last.get(instance.lane) is not status:
                self._last[instance.lane] = status
                yield f"status {instance.lane}", status

    def status(self, moment: int, manager: str, instance: Instance) -> InstanceStatus:
        """The status of an instance at a moment, which is none before those of earlier calls."""
        self._follow(moment)
        lane, asked = instance.lane, self._asked.get(instance.lane, -1)
        if asked < max(self._touched.get(lane, 0), self._all_touched):
            status = status_of(self._trace, moment, self._model, manager, instance)
            if self._statuses.get(lane) != status:
                self._statuses[lane] = status
            self._asked[lane] = moment
        return self._statuses[lane]

    def _follow(self, moment: int) -> None:
        """Note who was touched by the steps up to a moment."""
        if self._flow is not None and moment <= self._upto:
            return
        for at in range(self._upto + 1, moment + 1):
            step = self._trace[at].step
            if step is None:
                continue
            there = self._taking_part.setdefault(step.pending.correlation_id, set())
            there |= self._lanes(step.pending.sender, getattr(step, "identity", None))
            due = self._lanes(*(each.sender for each in step.commands if isinstance(step, Elapsed)))
            self._touched.update(dict.fromkeys(there | due, at))
            if step.is_injected or at in self._dropped:
                self._all_touched = at
        flow = flow_at(self._trace, moment, self._model)
        if flow is not self._flow or len(self._trace[moment].agenda) > MOST_PENDING:
            self._flow, self._all_touched = flow, moment
        self._upto = moment

    def _lanes(self, *identities: Identity | None) -> set[int]:
        """The lanes of the identities that have one."""
        numbers = self._trace.index.lane_numbers
        names = (each.stream_id for each in identities if each is not None)
        return {numbers[name] for name in names if name in numbers}


class Packing:
    """The rows so far, and the last values of the views.

    A change of a field is, with one letter for what it is: ``{"v": value}``; ``{"o": n}``, the row of that
    number; ``{"l": [kept, kept at the end, new values]}`` for a list of plain values between whose ends
    something changed; ``{"r": [...]}`` likewise for a list of rows, as their numbers.
    """

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._last: dict[str, dict[str, tuple[str, Any]]] = {}
        self._objects: dict[str, dict[str, Any]] = {}

    def changes(self, part: str, view: Any) -> dict[str, Any]:
        """The fields of a part's view (a dataclass) that differ from the last one of that part."""
        last, objects = self._last.setdefault(part, {}), self._objects.setdefault(part, {})
        found = {}
        for name in [field.name for field in fields(view)]:
            given, before = getattr(view, name), last.get(name)
            if before is not None and objects[name] is given:
                continue
            known = zip(objects[name], before[1], strict=True) if before and before[0] == "r" else ()
            letter, value = self._read(given, {id(row): number for row, number in known})
            if before != (letter, value):
                found[name] = {letter: self._spliced(letter, before, value)}
            last[name], objects[name] = (letter, value), given
        return found

    def number(self, row: Any) -> int:
        """The number of a row, which is kept if it is new."""
        if row not in self._numbers:
            self._numbers[row] = len(self.rows)
            self.rows.append(plain(row))
        return self._numbers[row]

    def _read(self, value: Any, known: Mapping[int, int]) -> tuple[str, Any]:
        """The letter of a value and what is packed of it; ``known`` has numbers of rows by their ids."""
        if isinstance(value, tuple):
            if value and is_dataclass(value[0]):
                return "r", [known[id(row)] if id(row) in known else self.number(row) for row in value]
            return "l", plain(value)
        if is_dataclass(value):
            return "o", self.number(value)
        return "v", plain(value) if isinstance(value, Mapping) else value

    def _spliced(self, letter: str, last: tuple[str, Any] | None, value: Any) -> Any:
        if letter not in "lr":
            return value
        before = last[1] if last is not None and last[0] in "lr" else []
        most = min(len(before), len(value))
        start = 0
        while start < most and before[start] == value[start]:
            start += 1
        end = 0
        while end < most - start and before[-1 - end] == value[-1 - end]:
            end += 1
        return [start, end, value[start : len(value) - end]]
