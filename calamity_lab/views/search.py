"""The search of a whole run: streams, events, rejections, faults, waits, and what is pending or set now.

Also every moment at which a text appears, and the first moment at which a predicate holds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal, NamedTuple, overload

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import a_function, is_a, words_of
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.steps import Elapsed, Injected, Refused, Step
from calamity_lab.text import (
    format_fields,
    format_value,
    length_of_time,
    plain_sentence,
    plural,
    point_in_time,
)
from calamity_lab.trace.index import Index, Lane
from calamity_lab.trace.sentences import fact, origin, sent_by
from calamity_lab.trace.trace import Moment, Trace
from calamity_lab.views.agenda import LENGTH, target_text
from calamity_lab.views.chart import Mark
from calamity_lab.views.controls import followed
from calamity_lab.views.events import LENGTH as EVENT_LENGTH
from calamity_lab.views.events import FieldTexts, found_events
from calamity_lab.views.search_index import Searchable, places, small

Kind = Literal["stream", "event", "rejection", "fault", "wait", "pending", "deadline"]
Shape = Literal[
    "aggregate", "process manager", "projection", "event", "rejected", "injected", "time passed", "command",
    "deadline",
]  # fmt: skip

_LABEL = 100
_PENDING_TEXTS = Slot[str](most=1_024)
_DEADLINE_TEXTS = Slot[str](most=1_024)


@dataclass(frozen=True, slots=True)
class Hit:
    """A match: something that contains the query.

    ``moment`` is when it came to be (None: it is pending, or set for later), ``mark`` its mark in the lanes,
    ``index`` that of a pending command on the agenda.
    """

    key: str
    kind: Kind
    shape: Shape
    label: str
    detail: str
    moment: int | None
    is_past: bool
    stream_id: str | None = None
    position: int | None = None
    mark: Mark | None = None
    index: int | None = None
    command_id: str | None = None


def stream_hit(trace: Trace, number: int, cursor: int) -> Hit:
    """A stream, or a process manager instance."""
    lane = trace.index.lanes[number]
    name = format_value(lane.identity.stream_id)
    return Hit(
        key=f"stream {number}",
        kind="stream",
        shape=lane.kind,
        label=format_value(name, _LABEL),
        detail="",
        moment=lane.since,
        is_past=lane.since <= cursor,
        stream_id=name,
    )


def is_named(lane: Lane, wanted: str) -> bool:
    """Whether the query is the whole id of a stream, or of its aggregate."""
    name = lane_text(lane)
    return name == wanted or name.partition("-")[2] == wanted


def lane_text(lane: Lane) -> str:
    """The text of a stream in which a query is searched: its id."""
    return small(format_value(lane.identity.stream_id))


def event_hit(trace: Trace, index: int, cursor: int) -> Hit:
    """A recorded event."""
    event, moment = trace.index.events[index], trace.index.event_moments[index]
    return Hit(
        key=f"event {event.position}",
        kind="event",
        shape="event",
        label=f"{event.event_type} #{event.position}",
        detail=format_fields(event.event, EVENT_LENGTH),
        moment=moment,
        is_past=moment <= cursor,
        stream_id=format_value(event.stream_id),
        position=event.position,
        mark=Mark("event", index + 1),
    )


class _StepKind(NamedTuple):
    """A kind of steps that can be found: which they are, and how one is shown and searched."""

    shape: Shape
    moments: Callable[[Index], PersistentVector[int]]
    label: Callable[[Any], str]
    detail: Callable[[Any], str]
    text: Callable[[Any], str]


def _rejection_text(step: Refused) -> str:
    """The text of a rejection in which a query is searched: command, fields, reason, stream and ids."""
    return small(
        f"{step.pending.command_type} rejected",
        format_value(str(step.rejected)),
        format_value(step.identity.stream_id),
        format_value(step.pending.command_id),
        format_value(step.pending.correlation_id),
        format_fields(step.command, LENGTH),
    )


def _fault_text(step: Injected) -> str:
    """The text of a fault in which a query is searched: its name, what it did, and its stream."""
    return small(f"{type(step.fault).__name__} injected", fact(step), format_value(step.stream_id))


_STEP_KINDS: Mapping[Kind, _StepKind] = {
    "rejection": _StepKind(
        "rejected",
        lambda index: index.rejections,
        lambda step: f"{step.pending.command_type} rejected",
        lambda step: str(step.rejected),
        _rejection_text,
    ),
    "fault": _StepKind(
        "injected", lambda index: index.injected, lambda step: type(step.fault).__name__, fact, _fault_text
    ),
    "wait": _StepKind(
        "time passed",
        lambda index: index.elapsed,
        lambda step: f"{length_of_time(step.now - step.since)} passed",
        fact,
        lambda step: small("time passed", fact(step)),
    ),
}


def step_hit(trace: Trace, kind: Kind, number: int, cursor: int) -> Hit:
    """A command that was rejected, a fault that was carried out, or time that passed."""
    of = _STEP_KINDS[kind]
    moment = of.moments(trace.index)[number]
    step = trace[moment].step
    assert step is not None, "the index knows the moments of these steps"
    return Hit(
        key=f"{kind} {moment}",
        kind=kind,
        shape=of.shape,
        label=of.label(step),
        detail=format_value(of.detail(step), LENGTH),
        moment=moment,
        is_past=moment <= cursor,
        stream_id=None if step.stream_id is None else format_value(step.stream_id),
        mark=Mark("step", moment),
        command_id=format_value(step.pending.command_id) if kind == "rejection" else None,
    )


def deadline_hit(deadline: Pending) -> Hit:
    """A deadline that is set."""
    return Hit(
        key=f"deadline {deadline.command_id}",
        kind="deadline",
        shape="deadline",
        label=plain_sentence(str(deadline.deadline), _LABEL),
        detail=f"{deadline.command_type}, {_due_at(deadline)}, {sent_by(deadline)}",
        moment=None,
        is_past=False,
        command_id=format_value(deadline.command_id),
    )


def deadline_text(trace: Trace, deadline: Pending) -> str:
    """The text of a deadline in which a query is searched: its name, its command, when it is due, and why."""

    def text() -> str:
        name = plain_sentence(str(deadline.deadline), LENGTH)
        known = format_value(deadline.command_id)
        return small("deadline", name, deadline.command_type, known, sent_by(deadline), _due_at(deadline))

    return trace.memo.once(_DEADLINE_TEXTS, text, deadline)


def _due_at(deadline: Pending) -> str:
    return "" if deadline.due_at is None else f"due {point_in_time(deadline.due_at)}"


def pending_hit(pending: Pending, index: int) -> Hit:
    """A command on the agenda."""
    target = target_text(pending)
    return Hit(
        key=f"pending {pending.command_id}",
        kind="pending",
        shape="command",
        label=pending.command_type,
        detail=format_fields(pending.command, LENGTH),
        moment=None,
        is_past=False,
        stream_id=target,
        index=index,
        command_id=format_value(pending.command_id),
    )


def pending_text(trace: Trace, pending: Pending) -> str:
    """The text of a pending command in which a query is searched: name, fields, target, id and origin."""

    def text() -> str:
        return small(
            pending.command_type,
            target_text(pending),
            format_value(pending.command_id),
            format_fields(pending.command, LENGTH),
            origin(pending),
        )

    return trace.memo.once(_PENDING_TEXTS, text, pending)


MOST_PENDING = 400
"""Search at most this many pending commands, the first ones."""

_FEW = 500
_QUOTED = 60


@dataclass(frozen=True, slots=True)
class HitGroup:
    """The matches of one kind: ``total`` in all, and ``shown`` of them in the list."""

    kind: Kind
    total: int
    shown: int


@dataclass(frozen=True, slots=True)
class SearchResults:
    """The matches by kind, those around the cursor; ``before`` and ``after`` are the nearest from there.

    Nothing is found where the query is empty. ``sentence`` says how many there are, or that there are none.
    """

    query: str
    sentence: str
    total: int
    groups: tuple[HitGroup, ...]
    hits: tuple[Hit, ...]
    before: Hit | None
    after: Hit | None


class _Matches(NamedTuple):
    """The indices of the matches of one kind, and when each came to be; ``at`` is None for what is ahead.

    ``exact`` are those that are named by the query, and not only found by it.
    """

    kind: Kind
    indices: Sequence[int]
    cursor: int
    hit: Callable[[int], Hit]
    at: Callable[[int], int] | None = None
    exact: Sequence[int] = ()

    def upto(self, moment: int) -> int:
        """How many of the matches are past at a moment."""
        return bisect_right(self.indices, moment, key=self.at) if self.at else 0

    def shown(self, limit: int) -> list[Hit]:
        """The exact matches, and those nearest to the cursor."""
        first = followed(self.upto(self.cursor), len(self.indices), limit)
        nearest = self.indices[first : first + limit]
        return [self.hit(index) for index in [*dict.fromkeys((*self.exact, *nearest))][:limit]]


@dataclass(frozen=True, slots=True)
class HitText:
    """A match, and the text that must contain the query."""

    hit: Hit
    text: str


def search_results(trace: Trace, cursor: int, *, query: str, limit: int = 8) -> SearchResults:
    """The matches of a query in the whole run, at most ``limit`` of each kind, nearest to the cursor."""
    wanted = query.strip().casefold()
    if not wanted:
        return SearchResults("", "", 0, (), (), None, None)
    lasting = _lasting(trace, cursor, wanted)
    groups, hits = [], list[Hit]()
    for matches in (*lasting, _pending(trace, cursor, wanted), _deadlines(trace, cursor, wanted)):
        shown = matches.shown(max(limit, 1))
        if shown:
            groups.append(HitGroup(matches.kind, len(matches.indices), len(shown)))
            hits += shown
    total = sum(group.total for group in groups)
    return SearchResults(
        query=format_value(query),
        sentence=_sentence(format_value(query.strip(), _QUOTED), total),
        total=total,
        groups=tuple(groups),
        hits=tuple(hits),
        before=max(_next(lasting, -1), key=_moment, default=None),
        after=min(_next(lasting, 1), key=_moment, default=None),
    )


def _sentence(query: str, total: int) -> str:
    return f"{plural(total, 'match', 'matches')} for “{query}”" if total else f"No matches for “{query}”"


def streams(trace: Trace) -> tuple[HitText, ...]:
    """Every stream of the run, for a page that searches by itself; none of them counts as past."""
    lanes = enumerate(trace.index.lanes)
    return tuple(HitText(stream_hit(trace, number, -1), lane_text(lane)) for number, lane in lanes)


def found_steps(trace: Trace, kind: Kind) -> tuple[HitText, ...]:
    """Every rejection, every fault or every wait of the run, for a page; none of them counts as past."""
    of = _STEP_KINDS[kind]
    steps = enumerate(trace[moment].step for moment in of.moments(trace.index))
    return tuple(HitText(step_hit(trace, kind, number, -1), of.text(step)) for number, step in steps)


class FoundText(NamedTuple):
    """A moment at which a text appears: in a stream's id, an event, a rejection, a fault, or a command.

    Or in a wait, or in a deadline.
    """

    moment: int
    kind: Literal["stream", "event", "rejection", "fault", "wait", "command", "pending command", "deadline"]
    label: str
    detail: str


class FoundTexts(Sequence[FoundText]):
    """Every moment of a branch at which a text appears, in order; each row is made when it is read.

    The case does not matter. Commands that still wait, and deadlines that are set, are found at the last
    moment, all of them.
    """

    def __init__(self, trace: Trace, text: str) -> None:
        self._trace, wanted, last = trace, text.strip().casefold(), trace.last
        index = trace.index
        dispatched = index.dispatched
        self._matches = _lasting(trace, last, wanted)
        commands = _CommandTexts()
        row = Searchable(
            "command",
            len(dispatched),
            lambda n: trace[dispatched[n]].step,
            lambda start: (trace.branch.moments[at].step for at in dispatched.iterate(start)),
            commands.of,
        )
        self._places = [
            *(
                (matches.at(place), number, place)
                for number, matches in enumerate(self._matches)
                if matches.at is not None
                for place in matches.indices
            ),
            *((dispatched[place], _COMMAND, place) for place in places(trace.memo, row, wanted)),
        ]
        self._waiting = [each for each in trace[last].agenda.entries() if wanted in commands.text(each)]
        self._deadlines = [
            each for each in trace[last].stack.deadlines if wanted in deadline_text(trace, each)
        ]
        self._places += [(last, _WAITING, place) for place in range(len(self._waiting))]
        self._places += [(last, _DEADLINE, place) for place in range(len(self._deadlines))]
        self._places.sort()

    @overload
    def __getitem__(self, index: int) -> FoundText: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[FoundText]: ...
    def __getitem__(self, index: int | slice) -> FoundText | Sequence[FoundText]:
        if isinstance(index, slice):
            return [self._row(*each) for each in self._places[index]]
        return self._row(*self._places[index])

    def __len__(self) -> int:
        return len(self._places)

    def _row(self, moment: int, number: int, place: int) -> FoundText:
        if number == _DEADLINE:
            found = deadline_hit(self._deadlines[place])
            return FoundText(moment, "deadline", found.label, found.detail)
        if number >= _COMMAND:
            step = self._trace[moment].step
            is_waiting = number == _WAITING or step is None
            pending = self._waiting[place] if is_waiting or step is None else step.pending
            kind: Literal["pending command", "command"] = "pending command" if is_waiting else "command"
            return FoundText(moment, kind, pending.command_type, format_fields(pending.command, EVENT_LENGTH))
        matches = self._matches[number]
        assert matches.kind != "pending", "only what lasts was searched"
        assert matches.kind != "deadline", "only what lasts was searched"
        hit = matches.hit(place)
        return FoundText(moment, matches.kind, hit.label, hit.detail)


_COMMAND, _WAITING, _DEADLINE = 5, 6, 7


class _CommandTexts:
    """The text of each command for the search: its name, fields, target and ids."""

    def __init__(self) -> None:
        self._fields = FieldTexts()

    def of(self, step: Step) -> str:
        """The text of a command that was dispatched; a fault and a wait are found as such."""
        if step.is_injected or isinstance(step, Elapsed):
            return ""
        return self.text(step.pending, step.stream_id)

    def text(self, pending: Pending, target: str | None = None) -> str:
        """The text of a command; its target is worked out where it is not known."""
        fields = self._fields.of(pending.command)
        target = target_text(pending) if target is None else target
        known = pending.command_type, target, pending.command_id, pending.correlation_id, fields
        return small(*known, *([] if pending.deadline is None else ["deadline", pending.deadline]))


def _next(lasting: list[_Matches], step: int) -> Iterator[Hit]:
    """The nearest match of each kind before the cursor, or after it."""
    for matches in lasting:
        number = matches.upto(matches.cursor) if step > 0 else matches.upto(matches.cursor - 1) - 1
        if 0 <= number < len(matches.indices):
            yield matches.hit(matches.indices[number])


def _moment(hit: Hit) -> int:
    return hit.moment or 0


def _lasting(trace: Trace, cursor: int, wanted: str) -> list[_Matches]:
    """The matches of what came to be at a moment, and is there from then on."""
    steps = (_steps(trace, cursor, wanted, kind) for kind in _STEP_KINDS)
    return [_streams(trace, cursor, wanted), _events(trace, cursor, wanted), *steps]


def _streams(trace: Trace, cursor: int, wanted: str) -> _Matches:
    index = trace.index
    row = Searchable("stream", len(index.lanes), index.lanes.__getitem__, index.lanes.iterate, lane_text)
    there = places(trace.memo, row, wanted)
    few = there if len(there) <= _FEW else ()
    exact = [place for place in few if is_named(index.lanes[place], wanted)]
    hit = partial(stream_hit, trace, cursor=cursor)
    return _Matches("stream", there, cursor, hit, lambda place: index.lanes[place].since, exact)


def _events(trace: Trace, cursor: int, wanted: str) -> _Matches:
    hit, moments = partial(event_hit, trace, cursor=cursor), trace.index.event_moments
    return _Matches("event", found_events(trace, wanted), cursor, hit, moments.__getitem__)


def _steps(trace: Trace, cursor: int, wanted: str, kind: Kind) -> _Matches:
    """The matches among the steps of a kind."""
    moments = _STEP_KINDS[kind].moments(trace.index)

    def since(start: int) -> Iterator[Step | None]:
        return (trace[moment].step for moment in moments.iterate(start))

    row = Searchable(kind, len(moments), lambda n: trace[moments[n]].step, since, _STEP_KINDS[kind].text)
    there = places(trace.memo, row, wanted)
    return _Matches(kind, there, cursor, partial(step_hit, trace, kind, cursor=cursor), moments.__getitem__)


def _pending(trace: Trace, cursor: int, wanted: str) -> _Matches:
    pending = tuple(islice(trace[cursor].agenda.entries(), MOST_PENDING))
    there = [place for place, each in enumerate(pending) if wanted in pending_text(trace, each)]
    return _Matches("pending", there, cursor, lambda place: pending_hit(pending[place], place))


def _deadlines(trace: Trace, cursor: int, wanted: str) -> _Matches:
    deadlines = tuple(islice(trace[cursor].stack.deadlines, MOST_PENDING))
    there = [place for place, each in enumerate(deadlines) if wanted in deadline_text(trace, each)]
    return _Matches("deadline", there, cursor, lambda place: deadline_hit(deadlines[place]))


class FirstMoment(NamedTuple):
    """The first moment at which a predicate holds; None where it never does.

    ``by`` is how the moment was found, and ``asked`` at how many of the ``total`` moments the predicate was
    asked. By halving, it is the first one if the predicate holds ever after, as it did wherever it was asked.
    """

    moment: Moment | None
    by: Literal["halving", "one by one"]
    asked: int
    total: int

    def __repr__(self) -> str:
        asked = f"{self.by}, asked at {self.asked:,} of {plural(self.total, 'moment')}"
        if self.moment is None:
            return f"It holds at no moment; {asked}"
        return (
            f"It holds first at moment {self.moment.index:,}, found {asked.replace('halving', 'by halving')}"
        )


MOST_CHECKED = 1_000
"""After halving, at most this many moments more are asked whether the predicate holds ever after."""


def first_moment(trace: Trace, predicate: Callable[[Moment], bool]) -> FirstMoment:
    """The first moment of the branch at which a predicate holds.

    Whether it holds ever after cannot be known without asking everywhere. So halving is checked at moments
    that are spread evenly over the branch; where one of them says otherwise, all are asked in order.
    """
    predicate = a_function("bisect(predicate)", predicate, "lambda m: len(m.agenda) > 3")
    answers: dict[int, bool] = {}

    def holds(at: int) -> bool:
        if at not in answers:
            answers[at] = _answer(predicate, trace[at])
        return answers[at]

    last, found = trace.last, None
    if holds(last):
        # Where the least index is that holds, by halving, if all later ones hold too.
        found = bisect_left(range(last), True, key=holds)
        stride = max(-(-(last + 1) // MOST_CHECKED), 1)
        if all(holds(at) == (at >= found) for at in range(0, last + 1, stride)):
            return FirstMoment(trace[found], "halving", len(answers), last + 1)
    found = next((at for at in range(last + 1) if holds(at)), None)
    return FirstMoment(None if found is None else trace[found], "one by one", len(answers), last + 1)


def _answer(predicate: Callable[[Moment], bool], moment: Moment) -> bool:
    example = "give a function of a moment, as in lambda m: len(m.agenda) > 3"
    try:
        answer: Any = predicate(moment)
    except Exception as error:
        early = " A stream that is not there yet? Read it with .get(...)." if is_a(error, KeyError) else ""
        raise InvalidValue(
            f"bisect(predicate) raised {words_of(error)} at moment {moment.index:,}.{early} Else {example}"
        ) from error
    if is_a(answer, bool) or (type(answer).__module__ == "numpy" and type(answer).__name__ in _BOOLS):
        return bool(answer)
    raise InvalidValue(
        f"bisect(predicate) returned {repr_of(answer)} at moment {moment.index:,}, which is neither True nor "
        f"False; {example}"
    )


_BOOLS = ("bool", "bool_")
