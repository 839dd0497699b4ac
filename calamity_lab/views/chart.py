"""The chart of a branch: the marks of everything that happened in the lanes, as columns that only grow.

Whoever has the columns up to some moment needs no more than what came behind it: so a front end can draw any
part of a run, and any cursor on it, without asking.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count, islice
from math import inf
from typing import Any, Literal, NamedTuple, cast

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.faults import Redeliver
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import Elapsed, Injected, Step
from calamity_lab.text import format_value, length_of_time
from calamity_lab.trace.index import BLOCK, Index, Kind, SetDeadline
from calamity_lab.trace.projections import BrokenProjection, ProjectionChange, Projections
from calamity_lab.trace.trace import Trace
from calamity_lab.views.looks import DEADLINE_LINE, IN_LANES

LaneKind = Kind | Literal["time passed"]

KINDS = IN_LANES[1:]
"""The kinds of marks in the lanes besides events; the number of a step's kind is its index here."""

_MARK = re.compile(r"(event|step|change|deadline) (\d{1,15})", re.ASCII)
_KIND_NUMBERS = {"accepted": 0, "rejected": 1, **{kind: number for number, kind in enumerate(KINDS)}}
"""The kind of a mark by the verb of its step; a step whose verb has no look has no mark."""


MarkKind = Literal["event", "step", "change", "deadline"]


class Mark(NamedTuple):
    """A mark in the lanes: an event, by its number among all from 1, or what happened at a step.

    Or a change of a projection, by its number among all changes from 1, or the line of a deadline, by its
    number among all deadlines from 1. As a text, also for the front end: "event 12", "step 57", "change 3",
    "deadline 2".
    """

    kind: MarkKind
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @classmethod
    def read(cls, text: Any) -> Mark:
        """The mark that a text names."""
        found = _MARK.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError("a mark in the lanes, such as 'event 12' or 'step 57'")
        return cls(cast("MarkKind", found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A stream, a process manager instance or a projection; or the `CLOCK`, which is no stream."""

    stream_id: str
    category: str
    kind: LaneKind


CLOCK = LaneRow("Time passed", "Time passed", "time passed")
"""The lane of the waits: a mark for each that says how much time passed."""


class EventColumns(NamedTuple):
    """The events in order, an item in each column.

    ``moments`` are those of their recording, ``lanes`` and ``names`` indexes of the chart's own, ``times``
    milliseconds since 1970 (UTC); a time before the last one counts as the last one. ``positions`` are
    those in the event store, which people read; marks are placed by the number of their event, without gaps.
    """

    moments: array[int]
    lanes: array[int]
    names: array[int]
    times: array[int]
    positions: array[int]


class StepColumns(NamedTuple):
    """The commands, rejections, reactions and waits in order of their moments, an item in each column.

    ``halves`` are twice the number of the event, from 1: a reaction has the number of the event reacted to,
    the others half a number more than the last event before them. ``kinds`` are indexes of `KINDS`. The
    label of a reaction names what was sent, where its name is that of the event; else both are the same.
    """

    moments: array[int]
    halves: array[int]
    lanes: array[int]
    kinds: array[int]
    names: array[int]
    labels: array[int]


class ChangeColumns(NamedTuple):
    """The changes of projections in order, an item in each column.

    ``events`` are the numbers of the events that made them, from 1, and ``kinds`` indexes of `KINDS`.
    """

    events: array[int]
    lanes: array[int]
    kinds: array[int]


class DeadlineColumns(NamedTuple):
    """What became of deadlines, in order: an item where one was set, and one where it ended.

    ``moments`` are those at which that happened, 0 where one was set before the trace began; ``lanes`` those
    of the instances, ``kinds`` indexes of `DEADLINES`, ``names`` of the chart's own. ``numbers`` say which
    deadline it is, by its number among all that were set, from 1.
    """

    moments: array[int]
    lanes: array[int]
    kinds: array[int]
    names: array[int]
    numbers: array[int]


DEADLINES = ("set", "came due", "taken off")
"""What becomes of a deadline."""


@dataclass(frozen=True, slots=True)
class DeadlineSpan:
    """A deadline from where it was set to where it ended; ``until`` is None, and ``end`` "set", if kept."""

    number: int
    lane: int
    since: int
    until: int | None = None
    end: str = "set"


class LaneDeadlines:
    """The deadlines of a lane in the order in which they were set; those in sight are found at once.

    It finds what was set and what ended between two moments by halving. What lies across both is found by the
    latest end of each block of deadlines, of each block of blocks, and so on.
    """

    def __init__(self) -> None:
        self.spans: list[DeadlineSpan] = []
        self._places: dict[int, int] = {}
        self._ends: list[tuple[int, int]] = []
        self._latest: list[list[float]] = [[]]

    def set(self, span: DeadlineSpan) -> None:
        """Add a deadline, which is kept."""
        self._places[span.number] = len(self.spans)
        self.spans.append(span)
        self._until(len(self.spans) - 1, inf)

    def end(self, number: int, moment: int, how: str) -> None:
        """Put down where a deadline ended."""
        place = self._places[number]
        self.spans[place] = replace(self.spans[place], until=moment, end=how)
        self._ends.append((moment, place))
        self._until(place, moment)

    def in_sight(self, since: int, until: float, cursor: int) -> Iterator[DeadlineSpan]:
        """Those that were set or ended from one moment to another, and what lies across both.

        Lines across both that are of one height look the same, so there is one of them.
        """
        most, heights = DEADLINE_LINE["most"], DEADLINE_LINE["heights"]
        first = bisect_left(self.spans, since, key=lambda each: each.since)
        last = bisect_right(self.spans, until, key=lambda each: each.since)
        yield from self.spans[max(first, last - most) : last]
        begin, end = bisect_left(self._ends, (since, -1)), bisect_left(self._ends, (until, inf))
        ended = (self.spans[place] for _, place in self._ends[max(begin, end - most) : end])
        yield from (each for each in ended if each.since < since)
        seen = set[tuple[int, bool]]()
        for place in islice(self._across(first, until), most):
            span = self.spans[place]
            look = span.number % heights, span.until is None
            if look not in seen and not (span.until is None and cursor < since):
                seen.add(look)
                yield span

    def _until(self, place: int, moment: float) -> None:
        for level in count():
            if level == len(self._latest):
                self._latest.append([])
            latest = self._latest[level]
            latest[place : place + 1] = [moment]
            if len(latest) == 1:
                return
            place //= BLOCK
            moment = max(latest[place * BLOCK : (place + 1) * BLOCK])

    def _across(self, before: int, moment: float) -> Iterator[int]:
        """The places before one of those that ended after a moment, the latest first."""
        place, level = before - 1, 0
        while place >= 0:
            if self._latest[level][place] > moment:
                if level:
                    place, level = place * BLOCK + BLOCK - 1, level - 1
                    continue
                yield place
            place -= 1
            # At the end of a block, it is looked at as a whole.
            while place >= 0 and (place + 1) % BLOCK == 0 and level + 1 < len(self._latest):
                place, level = place // BLOCK, level + 1


class Sizes(NamedTuple):
    """How many items there are of each."""

    events: int = 0
    steps: int = 0
    lanes: int = 0
    names: int = 0
    changes: int = 0
    deadlines: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """The part of the columns that a branch has; lanes are in order of appearance, names in order of use."""

    columns: Columns
    sizes: Sizes

    def shared(self, earlier: Chart | None) -> Sizes:
        """How much of it an earlier chart of the same `Charts` has already."""
        if earlier is not None and earlier.columns is self.columns:
            return earlier.sizes
        if earlier is not None and earlier.columns.token is self.columns.parent:
            return Sizes(*map(min, self.columns.inherited, earlier.sizes))
        return Sizes()


class Charts:
    """The chart of the branch that was asked for last, kept so that the next one costs what is new."""

    def __init__(self) -> None:
        self._columns: Columns | None = None

    def of(self, trace: Trace) -> Chart:
        """The chart of a trace's current branch."""
        columns = Columns(trace) if self._columns is None else self._columns.along(trace)
        columns.grow(trace)
        self._columns = columns
        return Chart(columns, columns.sizes)


class Columns:
    """The columns of one branch as they grow.

    ``last`` is the latest moment in them. The columns of a forked branch have the ``token`` of the
    columns they were cut from as ``parent``; ``inherited`` is how much they share with these.
    """

    def __init__(self, trace: Trace, parent: object | None = None) -> None:
        # Not the columns themselves: each would keep those that it was cut from, and so on.
        self.trace, self.parent, self.last = trace, parent, -1
        self.token = object()
        self.lane_numbers: dict[str, int] = {}
        self.lanes: list[LaneRow] = []
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []
        self.events = EventColumns(*(array("Q") for _ in EventColumns._fields))
        self.steps = StepColumns(*(array("Q") for _ in StepColumns._fields))
        self.changes = ChangeColumns(*(array("Q") for _ in ChangeColumns._fields))
        self.deadlines = DeadlineColumns(*(array("Q") for _ in DeadlineColumns._fields))
        self._by_lane, self._in_lanes = dict[int, LaneDeadlines](), 0
        # The moments at which each lane, name and step came to be known: a command is, when it is decided.
        self.lanes_known, self.names_known, self.steps_known = array("Q"), array("Q"), array("Q")
        self.inherited = Sizes()
        # The last event's position, and when the command in progress was dispatched; 0 where none is known.
        self.position = self.begun = 0

    @property
    def sizes(self) -> Sizes:
        """How many items there are now."""
        return Sizes(
            len(self.events.moments),
            len(self.steps.moments),
            len(self.lanes),
            len(self.names),
            len(self.changes.events),
            len(self.deadlines.moments),
        )

    def deadlines_by_lane(self, size: int) -> Mapping[int, LaneDeadlines]:
        """The deadlines of each lane, of so many items; what is new since the last time is added."""
        if self._in_lanes > size:
            self._by_lane, self._in_lanes = {}, 0
        columns = (column[self._in_lanes : size] for column in self.deadlines)
        for moment, lane, kind, _, number in zip(*columns, strict=True):
            deadlines = self._by_lane.setdefault(lane, LaneDeadlines())
            if DEADLINES[kind] == "set":
                deadlines.set(DeadlineSpan(number, lane, moment))
            else:
                deadlines.end(number, moment, DEADLINES[kind])
        self._in_lanes = size
        return self._by_lane

    def along(self, trace: Trace) -> Columns:
        """These columns where a trace continues them, else the part of them that it shares."""
        if self.last <= trace.last and _is_same(self.trace, trace, self.last):
            return self
        shared, beyond = -1, min(self.last, trace.last) + 1
        while beyond - shared > 1:
            middle = (shared + beyond) // 2
            shared, beyond = (middle, beyond) if _is_same(self.trace, trace, middle) else (shared, middle)
        return self._upto(shared, trace)

    def grow(self, trace: Trace) -> None:
        """Add what a trace has behind the latest moment."""
        if self.last < 0:
            for lane in trace.index.lanes.iterate(0, trace.index.lanes_at(0)):
                self._lane(lane.identity, 0, kind=lane.kind)
            self._record(trace.index.events.iterate(0, trace.index.events_at(0)), 0)
            self._project(trace.index.projections)
            self._set(trace.index.deadlines.iterate(0, trace.index.deadlines_at(0)), 0)
        for moment in trace.branch.moments.iterate(max(self.last, 0) + 1):
            if moment.step is not None:
                self._add(trace, moment.step)
        self.trace, self.last = trace, trace.last

    def _upto(self, moment: int, trace: Trace) -> Columns:
        cut = Columns(trace, self.token)
        if moment < 0:
            return cut
        lanes, names = bisect_right(self.lanes_known, moment), bisect_right(self.names_known, moment)
        events = bisect_right(self.events.moments, moment)
        steps = bisect_right(self.steps_known, moment)
        cut.last = moment
        cut.names, cut.names_known = self.names[:names], self.names_known[:names]
        cut.numbers = {name: number for name, number in self.numbers.items() if number < names}
        cut.lanes, cut.lanes_known = self.lanes[:lanes], self.lanes_known[:lanes]
        cut.lane_numbers = {
            name: lane_number for name, lane_number in self.lane_numbers.items() if lane_number < lanes
        }
        cut.events = EventColumns(*(column[:events] for column in self.events))
        cut.steps = StepColumns(*(column[:steps] for column in self.steps))
        cut.steps_known = self.steps_known[:steps]
        changes = bisect_right(self.changes.events, events)
        cut.changes = ChangeColumns(*(column[:changes] for column in self.changes))
        deadlines = bisect_right(self.deadlines.moments, moment)
        cut.deadlines = DeadlineColumns(*(column[:deadlines] for column in self.deadlines))
        cut.position = trace.index.events[events - 1].position if events else 0
        cut.begun = trace.index.command_start(moment)
        cut.inherited = cut.sizes
        return cut

    def _add(self, trace: Trace, step: Step) -> None:
        if step.begins:
            self.begun = step.index
        if step.decides:
            self._decision(step)
        if isinstance(step, Injected):
            self._injected(trace, step)
        if isinstance(step, Elapsed):
            self._elapsed(step)
        if step.deadlines or step.taken_off or isinstance(step, Elapsed):
            self._deadlines(trace.index, step)
        if step.recorded:
            self._recorded(trace, step)
        if step.trigger is not None:
            self._reaction(trace, step, step.trigger)

    def _decision(self, step: Step) -> None:
        if step.rejected is not None:
            self._between(step, step.index, f"{step.pending.command_type} rejected")
        # One that was in progress at the beginning was dispatched before; one tried again is there.
        elif self.begun and not self._is_marked(self.begun):
            self._between(step, self.begun, step.pending.command_type)

    def _injected(self, trace: Trace, step: Injected) -> None:
        """Add a fault; the command in which it happens comes first, so that the moments are in order."""
        begun = trace[self.begun].step
        is_within = not step.begins and trace[step.index].decision is None and not self._is_marked(self.begun)
        if is_within and begun is not None and begun.subject is not None:
            lane = self._lane(begun.subject, step.index, kind="aggregate")
            name = self._number(begun.pending.command_type, step.index)
            half = 2 * len(self.events.moments) + 1
            self._step(step.index, (self.begun, half, lane, KINDS.index("command"), name, name))
        self._between(step, step.index, type(step.fault).__name__)

    def _elapsed(self, step: Elapsed) -> None:
        # The key of no stream, so that no projection can be called like the lane.
        lane = self._row("", CLOCK, step.index)
        name = self._number(length_of_time(step.now - step.since), step.index)
        half = 2 * len(self.events.moments) + 1
        self._step(step.index, (step.index, half, lane, KINDS.index("time passed"), name, name))

    def _deadlines(self, index: Index, step: Step) -> None:
        """Add the deadlines that ended at a step, and then those that it set."""
        for each in (*step.taken_off, *(step.commands if isinstance(step, Elapsed) else ())):
            ended = index.ended.get(each.command_id)
            if ended is not None and ended.moment == step.index:
                self._deadline(step.index, each, ended.how, ended.number)
        known = index.deadlines_at(step.index - 1)
        self._set(index.deadlines.iterate(known, known + len(step.deadlines)), known)

    def _set(self, deadlines: Iterable[SetDeadline], known: int) -> None:
        for number, (moment, pending) in enumerate(deadlines, known + 1):
            self._deadline(moment, pending, "set", number)

    def _deadline(self, moment: int, deadline: Pending, what: str, number: int) -> None:
        assert deadline.sender is not None, "a deadline belongs to an instance"
        lane = self._lane(deadline.sender, moment, kind="process manager")
        name = self._number(deadline.deadline or "", moment)
        items = (moment, lane, DEADLINES.index(what), name, number)
        for column, item in zip(self.deadlines, items, strict=True):
            column.append(item)

    def _is_marked(self, moment: int) -> bool:
        moments = self.steps.moments
        at = bisect_left(moments, moment)
        return at < len(moments) and moments[at] == moment

    def _recorded(self, trace: Trace, step: Step) -> None:
        if step.recorded[0].position == self.position + 1:
            self._record(step.recorded, step.index)
        else:  # others recorded something meanwhile
            known, upto = len(self.events.moments), trace.index.events_at(step.index)
            self._record(trace.index.events.iterate(known, upto), step.index)
        self._project(trace.index.projections)

    def _project(self, projections: Projections) -> None:
        """Add the changes of the projections that the events made which are here."""
        events, lanes, kinds = self.changes
        for change in projections.changes.iterate(len(events)):
            if change.event > len(self.events.moments):
                return
            is_broken = type(change.after) is BrokenProjection
            events.append(change.event)
            lanes.append(self._lane(change.identity, change.moment, kind="projection"))
            kinds.append(KINDS.index("rejected" if is_broken else "projection"))

    def _record(self, events: Iterable[RecordedEvent], moment: int) -> None:
        moments, lanes, names, times, positions = self.events
        latest = times[-1] if times else 0
        for event in events:
            latest = max(latest, round(event.recorded_at.timestamp() * 1000))
            moments.append(moment)
            lanes.append(self._place(event.stream_id, moment))
            names.append(self._number(event.event_type, moment))
            times.append(latest)
            positions.append(event.position)
            self.position = event.position

    def _between(self, step: Step, moment: int, name: str, label: str | None = None) -> None:
        self._put(step, moment, 2 * len(self.events.moments) + 1, name, label)

    def _reaction(self, trace: Trace, step: Step, trigger: RecordedEvent | Rejected) -> None:
        sent = ", ".join(f"→ {pending.command_type}" for pending in step.commands) or step.verb
        if isinstance(trigger, Rejected):
            self._between(step, step.index, f"{step.pending.command_type} rejected", sent)
        elif isinstance(step.pending.command, Redeliver):  # beside the event, where the first reaction is not
            self._between(step, step.index, trigger.event_type, sent)
        else:
            self._put(step, step.index, 2 * ordinal(trace, trigger.position), trigger.event_type, sent)

    def _put(self, step: Step, moment: int, half: int, name: str, label: str | None = None) -> None:
        kind = _KIND_NUMBERS.get(step.verb)
        if kind is not None and step.subject is not None:
            of: Kind = "process manager" if step.at_process_manager else "aggregate"
            lane = self._lane(step.subject, step.index, kind=of)
            names = [self._number(each, step.index) for each in (name, label or name)]
            self._step(step.index, (moment, half, lane, kind, *names))

    def _step(self, known: int, items: Iterable[int]) -> None:
        self.steps_known.append(known)
        for column, item in zip(self.steps, items, strict=True):
            column.append(item)

    def _place(self, stream_id: str, moment: int) -> int:
        lane_number = self.lane_numbers.get(stream_id)
        return (
            self._lane(Identity.parse(stream_id), moment, kind="aggregate")
            if lane_number is None
            else lane_number
        )

    def _lane(self, identity: Identity, moment: int, *, kind: Kind) -> int:
        stream_id = identity.stream_id
        known = self.lane_numbers.get(stream_id)
        if known is not None:
            return known
        return self._row(stream_id, LaneRow(format_value(stream_id), identity.category, kind), moment)

    def _row(self, key: str, row: LaneRow, moment: int) -> int:
        lane_number = self.lane_numbers.setdefault(key, len(self.lanes))
        if lane_number == len(self.lanes):
            self.lanes.append(row)
            self.lanes_known.append(moment)
        return lane_number

    def _number(self, name: str, moment: int) -> int:
        number = self.numbers.setdefault(name, len(self.names))
        if number == len(self.names):
            self.names.append(format_value(name, 120))
            self.names_known.append(moment)
        return number


def ordinal(trace: Trace, position: int) -> int:
    """The number among all, from 1, of the event at a position; 0 where the branch has none there."""
    events = trace.index.events
    if 0 < position <= len(events) and events[position - 1].position == position:
        return position  # as where no position is missing
    number = bisect_left(events, position, key=lambda event: event.position)
    return number + 1 if number < len(events) and events[number].position == position else 0


def event_mark(trace: Trace, event: RecordedEvent) -> Mark:
    """The mark of an event."""
    return Mark("event", ordinal(trace, event.position))


def change_mark(trace: Trace, stream_id: str, position: int) -> Mark | None:
    """The mark of the change that the event at a position made of a projection; None where it made none."""
    event, changes = ordinal(trace, position), trace.index.projections.changes
    first = bisect_left(changes, event, key=lambda each: each.event)
    for number, change in enumerate(changes.iterate(first), first + 1):
        if change.event != event:
            return None
        if change.identity.stream_id == stream_id:
            return Mark("change", number)
    return None


def changes_by(trace: Trace, event: int) -> Iterator[Mark]:
    """The marks of what an event, by its number among all, changed in projections."""
    changes = trace.index.projections.changes
    first = bisect_left(changes, event, key=lambda each: each.event)
    last = bisect_right(changes, event, key=lambda each: each.event)
    yield from (Mark("change", number) for number in range(first + 1, last + 1))


def change_of(trace: Trace, mark: Mark) -> ProjectionChange | None:
    """The change of a mark; None where the branch does not have it."""
    changes = trace.index.projections.changes
    return changes[mark.number - 1] if mark.kind == "change" and 0 < mark.number <= len(changes) else None


def step_mark(trace: Trace, step: Step) -> Mark | None:
    """The mark of a step: its own, else its command's."""
    if step.rejected is not None or step.trigger is not None or step.is_injected:
        return Mark("step", step.index)
    return command_mark(trace, trace.index.command_start(step.index))


def command_mark(trace: Trace, start: int) -> Mark | None:
    """The mark of the command that was dispatched at a moment; for a rejected command, its rejection.

    None for a command that was dispatched before the trace began.
    """
    decision = trace[trace.command_end(start)].decision
    moment = start if decision is None or decision.rejected is None else decision.index
    return Mark("step", moment) if moment else None


def _is_same(one: Trace, other: Trace, moment: int) -> bool:
    """Whether two traces share what happened up to that moment: a step is one object, made once."""
    if moment <= 0:
        return moment < 0 or one[0].stack is other[0].stack
    return one[moment].step is other[moment].step
