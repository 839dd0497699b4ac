"""The timeline: a lane for each stream, a mark for each thing that happened to it, in order of the events."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from calamity_lab.errors import Rejected
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import AtAggregate, AtProcessManager, CaughtUp, Refused
from calamity_lab.text import format_fields, format_value
from calamity_lab.trace.index import Lane
from calamity_lab.trace.telling import fact
from calamity_lab.trace.trace import Trace
from calamity_lab.views.controls import bounded

MOST_LANES = 30
"""So many lanes are always shown; of more, those in which something happens in sight."""

_MOST_REFUSALS = 200
_MOST_REACTIONS = 400
_DETAIL = 300

Kind = Literal["event", "started", "continued", "stopped", "ignored", "refused"]


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A stream or a process manager instance."""

    stream_id: str
    category: str
    kind: Literal["aggregate", "process manager"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened in a lane.

    ``x`` is the event's place among all events, from 1; for a reaction that of the event reacted to; for a
    refusal, and a reaction to it, half a place behind the last event before it.
    """

    x: float
    lane: int
    kind: Kind
    label: str
    moment: int
    is_past: bool
    detail: str


@dataclass(frozen=True, slots=True)
class TimelineView:
    """A window on the timeline: the events ``first + 1`` to ``first + width``; ``now`` are past."""

    total: int
    now: int
    first: int
    width: int
    lanes: tuple[LaneRow, ...]
    marks: tuple[Mark, ...]


class _Drawn(NamedTuple):
    """A mark whose lane's number is not known yet."""

    x: float
    identity: Identity
    is_manager: bool
    kind: Kind
    label: str
    moment: int
    detail: str


def timeline(trace: Trace, cursor: int, *, first: int | None = None, width: int = 80) -> TimelineView:
    """The timeline with the cursor in sight, or from ``first`` on."""
    index, width = trace.index, max(1, width)
    total, now = len(index.events), index.events_at(cursor)
    first = bounded(first, now, total, width)
    drawn = [*_events(trace, first, width), *_refusals(trace, cursor, first, width)]
    drawn.sort(key=lambda mark: (mark.x, mark.moment))
    lanes = _lanes(trace, drawn)
    numbers = {lane.identity.stream_id: number for number, lane in enumerate(lanes)}
    marks = tuple(_mark(each, numbers[each.identity.stream_id], cursor) for each in drawn)
    return TimelineView(total, now, first, width, tuple(_lane_row(lane) for lane in lanes), marks)


def _mark(drawn: _Drawn, lane: int, cursor: int) -> Mark:
    return Mark(
        drawn.x,
        lane,
        drawn.kind,
        drawn.label,
        drawn.moment,
        drawn.moment <= cursor,
        format_value(drawn.detail, _DETAIL),
    )


def _lanes(trace: Trace, drawn: list[_Drawn]) -> list[Lane]:
    """The lanes to show, in order of appearance; behind them those of what never recorded an event."""
    index = trace.index
    marked = {mark.identity.stream_id: mark for mark in drawn}
    if len(index.lanes) <= MOST_LANES:
        known = list(index.lanes)
    else:
        places = (index.places.get(stream_id) for stream_id in marked)
        known = [index.lanes[place] for place in sorted(place for place in places if place is not None)]
    others = [mark for stream_id, mark in marked.items() if stream_id not in index.places]
    return known + [Lane(mark.identity, mark.is_manager, mark.moment) for mark in others]


def _lane_row(lane: Lane) -> LaneRow:
    kind: Literal["aggregate", "process manager"] = "process manager" if lane.is_manager else "aggregate"
    return LaneRow(format_value(lane.identity.stream_id), lane.identity.category, kind)


def _events(trace: Trace, first: int, width: int) -> Iterator[_Drawn]:
    """The events in sight, and what process managers made of them."""
    index = trace.index
    events = list(index.events.iterate(first, first + width))
    moments = list(index.event_moments.iterate(first, first + width))
    ordinals = {event.position: first + n for n, event in enumerate(events, 1)}
    for event, moment in zip(events, moments, strict=True):
        identity = Identity.parse(event.stream_id)
        detail = f"{event.event_type} #{event.position}: {format_fields(event.event, _DETAIL)}"
        x = float(ordinals[event.position])
        yield _Drawn(x, identity, False, "event", event.event_type, moment, detail)
    reactions = 0
    for moment in dict.fromkeys(moments):
        for mark in _reactions(trace, moment, ordinals):
            reactions += 1
            if reactions > _MOST_REACTIONS:
                return
            yield mark


def _reactions(trace: Trace, appended: int, ordinals: dict[int, int]) -> Iterator[_Drawn]:
    """The reactions to the events in sight that were recorded at that moment: they follow it at once."""
    lowest = min(ordinals)
    for moment in range(_first_reaction(trace, appended, lowest), trace.last + 1):
        step = trace[moment].step
        if isinstance(step, CaughtUp):  # an instance was read from the history before it reacts
            continue
        if not isinstance(step, AtProcessManager) or not isinstance(step.trigger, RecordedEvent):
            return
        ordinal = ordinals.get(step.trigger.position)
        if ordinal is None:
            return
        yield _reaction(step, float(ordinal), step.trigger.event_type)


def _first_reaction(trace: Trace, appended: int, position: int) -> int:
    """The moment of the first reaction to what was recorded at that moment, from that position on."""
    if not appended:
        return trace.last + 1
    if _trigger_position(trace, appended + 1) >= position:
        return appended + 1
    completed = trace.index.completed
    place = bisect_left(completed, appended)
    moments = range(appended + 1, completed[place] if place < len(completed) else trace.last + 1)
    found = bisect_left(moments, position, key=lambda moment: _trigger_position(trace, moment))
    return appended + 1 + found


def _trigger_position(trace: Trace, moment: int) -> int:
    step = trace[moment].step if moment <= trace.last else None
    if isinstance(step, CaughtUp):
        return _trigger_position(trace, moment + 1)
    if isinstance(step, AtProcessManager) and isinstance(step.trigger, RecordedEvent):
        return step.trigger.position
    return trace.index.events[-1].position + 1


def _reaction(step: AtProcessManager, x: float, label: str) -> _Drawn:
    kinds: dict[str, Kind] = {
        "Started": "started",
        "Continued": "continued",
        "Stopped": "stopped",
        "Ignored": "ignored",
    }
    return _Drawn(x, step.identity, True, kinds[step.kind], label, step.index, fact(step))


def _refusals(trace: Trace, cursor: int, first: int, width: int) -> Iterator[_Drawn]:
    """The refusals in sight, the ones nearest to the cursor where there are many, and what answered them."""
    index = trace.index
    since = index.event_moments[first - 1] if first else 0
    until = index.event_moments[first + width] if first + width < len(index.events) else trace.last + 1
    start, stop = bisect_left(index.refused, since), bisect_left(index.refused, until)
    if stop - start > _MOST_REFUSALS:
        near = bisect_right(index.refused, cursor) - _MOST_REFUSALS // 2
        start = max(start, min(near, stop - _MOST_REFUSALS))
        stop = start + _MOST_REFUSALS
    for moment in index.refused.iterate(start, stop):
        x = index.events_at(moment) + 0.5
        step = trace[moment].step
        if isinstance(step, Refused):
            yield _refusal(step, x)
        answer = trace[moment + 1].step if moment < trace.last else None
        if isinstance(answer, AtProcessManager) and isinstance(answer.trigger, Rejected):
            yield _reaction(answer, x, f"{answer.pending.command_type} refused")


def _refusal(step: AtAggregate, x: float) -> _Drawn:
    return _Drawn(x, step.identity, False, "refused", step.pending.command_type, step.index, fact(step))
