"""The search of a whole run: streams, events, rejections, and the commands that are pending now."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.steps import Refused
from calamity_lab.text import format_fields, format_value, plural
from calamity_lab.trace.index import Lane
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import LENGTH, target_text
from calamity_lab.views.chart import Mark
from calamity_lab.views.controls import followed
from calamity_lab.views.events import LENGTH as EVENT_LENGTH
from calamity_lab.views.events import found_events
from calamity_lab.views.search_index import Searchable, places, small

Kind = Literal["stream", "event", "rejection", "pending"]
Shape = Literal["aggregate", "process manager", "projection", "event", "rejected", "command"]

_LABEL = 100
_PENDING_TEXTS = Slot[str](most=1_024)


@dataclass(frozen=True, slots=True)
class Hit:
    """A match: something that contains the query.

    ``moment`` is when it came to be (None: it is pending), ``mark`` its mark in the lanes,
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


def rejection_at(trace: Trace, moment: int) -> Refused:
    """The step of a rejection at a moment that the index lists."""
    step = trace[moment].step
    assert isinstance(step, Refused), "the index knows the moments of rejections"
    return step


def rejection_text(step: Refused) -> str:
    """The text of a rejection in which a query is searched: command, fields, reason, stream and ids."""
    return small(
        f"{step.pending.command_type} rejected",
        format_value(str(step.rejected)),
        format_value(step.identity.stream_id),
        format_value(step.pending.command_id),
        format_value(step.pending.correlation_id),
        format_fields(step.command, LENGTH),
    )


def rejection_hit(trace: Trace, number: int, cursor: int) -> Hit:
    """A command that was rejected."""
    moment = trace.index.rejections[number]
    step = rejection_at(trace, moment)
    return Hit(
        key=f"rejection {moment}",
        kind="rejection",
        shape="rejected",
        label=f"{step.pending.command_type} rejected",
        detail=format_value(str(step.rejected), LENGTH),
        moment=moment,
        is_past=moment <= cursor,
        stream_id=format_value(step.identity.stream_id),
        mark=Mark("step", moment),
        command_id=format_value(step.pending.command_id),
    )


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
    """The text of a pending command in which a query is searched: name, fields, target and id."""

    def text() -> str:
        return small(
            pending.command_type,
            target_text(pending),
            format_value(pending.command_id),
            format_fields(pending.command, LENGTH),
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
    """The indices of the matches of one kind, and how many are past at the cursor and a moment before it.

    ``exact`` are those that are named by the query, and not only found by it.
    """

    kind: Kind
    indices: Sequence[int]
    past: int
    earlier: int
    hit: Callable[[int], Hit]
    exact: Sequence[int] = ()

    def shown(self, limit: int) -> list[Hit]:
        """The exact matches, and those nearest to the cursor."""
        first = followed(self.past, len(self.indices), limit)
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
    lasting = [
        _streams(trace, cursor, wanted),
        _events(trace, cursor, wanted),
        _rejections(trace, cursor, wanted),
    ]
    groups, hits = [], list[Hit]()
    for matches in (*lasting, _pending(trace, cursor, wanted)):
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


def rejections(trace: Trace) -> tuple[HitText, ...]:
    """Every rejection of the run, for a page that searches by itself."""
    steps = enumerate(rejection_at(trace, moment) for moment in trace.index.rejections)
    return tuple(HitText(rejection_hit(trace, number, -1), rejection_text(step)) for number, step in steps)


def _next(lasting: list[_Matches], step: int) -> Iterator[Hit]:
    """The nearest match of each kind before the cursor, or after it."""
    for matches in lasting:
        number = matches.past if step > 0 else matches.earlier - 1
        if 0 <= number < len(matches.indices):
            yield matches.hit(matches.indices[number])


def _moment(hit: Hit) -> int:
    return hit.moment or 0


def _streams(trace: Trace, cursor: int, wanted: str) -> _Matches:
    index = trace.index
    row = Searchable("stream", len(index.lanes), index.lanes.__getitem__, index.lanes.iterate, lane_text)
    there = places(trace.memo, row, wanted)
    past, earlier = (bisect_left(there, index.lanes_at(moment)) for moment in (cursor, cursor - 1))
    few = there if len(there) <= _FEW else ()
    exact = [place for place in few if is_named(index.lanes[place], wanted)]
    return _Matches("stream", there, past, earlier, lambda place: stream_hit(trace, place, cursor), exact)


def _events(trace: Trace, cursor: int, wanted: str) -> _Matches:
    there, index = found_events(trace, wanted), trace.index
    past, earlier = (bisect_left(there, index.events_at(moment)) for moment in (cursor, cursor - 1))
    return _Matches("event", there, past, earlier, lambda place: event_hit(trace, place, cursor))


def _rejections(trace: Trace, cursor: int, wanted: str) -> _Matches:
    rejected = trace.index.rejections

    def since(start: int) -> Iterator[Refused]:
        return (rejection_at(trace, moment) for moment in rejected.iterate(start))

    row = Searchable(
        "rejection", len(rejected), lambda n: rejection_at(trace, rejected[n]), since, rejection_text
    )
    there = places(trace.memo, row, wanted)
    past, earlier = (bisect_left(there, bisect_right(rejected, moment)) for moment in (cursor, cursor - 1))
    return _Matches("rejection", there, past, earlier, lambda place: rejection_hit(trace, place, cursor))


def _pending(trace: Trace, cursor: int, wanted: str) -> _Matches:
    pending = tuple(islice(trace[cursor].agenda.entries(), MOST_PENDING))
    there = [place for place, each in enumerate(pending) if wanted in pending_text(trace, each)]
    return _Matches("pending", there, 0, 0, lambda place: pending_hit(pending[place], place))
