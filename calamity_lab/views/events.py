"""A table of the recorded events, past and future."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.vector import Vector
from calamity_lab.shown import shown, shown_fields
from calamity_lab.trace.trace import Trace
from calamity_lab.views.window import bounded

LENGTH = 400
"""The text of an event's fields is cut there."""

_MOST_SEARCHES = 8


@dataclass(frozen=True, slots=True)
class EventRow:
    """A recorded event; ``command`` is what caused it, ``moment`` when it was recorded (0: before)."""

    position: int
    stream_id: str
    version: int
    type: str
    fields: str
    command: str
    correlation: str
    recorded_at: str
    moment: int
    is_past: bool


@dataclass(frozen=True, slots=True)
class EventTable:
    """A window on the events that match: ``total`` there are, ``now`` of them past, ``first`` above it."""

    total: int
    now: int
    first: int
    rows: tuple[EventRow, ...]


class _Search(NamedTuple):
    """Which of the events up to ``last`` match, by their place."""

    upto: int
    last: RecordedEvent
    places: list[int]


_searches: OrderedDict[str, _Search] = OrderedDict()


def event_rows(
    trace: Trace, cursor: int, *, first: int | None = None, limit: int = 50, query: str = ""
) -> EventTable:
    """The events around the cursor, or from ``first`` on, of those in which the query stands."""
    index, wanted, limit = trace.index, query.strip().casefold(), max(1, limit)
    places: Iterable[int]
    if wanted:
        found = _found(index.events, wanted)
        total, now = len(found), bisect_right(found, index.events_at(cursor) - 1)
        first = bounded(first, now, total, limit)
        places = found[first : first + limit]
    else:
        total, now = len(index.events), index.events_at(cursor)
        first = bounded(first, now, total, limit)
        places = range(first, min(first + limit, total))
    rows = (_row(index.events[place], index.event_moments[place], cursor) for place in places)
    return EventTable(total, now, first, tuple(rows))


def _row(recorded: RecordedEvent, moment: int, cursor: int) -> EventRow:
    return EventRow(
        position=recorded.position,
        stream_id=shown(recorded.stream_id),
        version=recorded.stream_version,
        type=recorded.event_type,
        fields=shown_fields(recorded.event, LENGTH),
        command=shown(recorded.metadata.get("command")),
        correlation=shown(recorded.correlation_id),
        recorded_at=shown(recorded.recorded_at),
        moment=moment,
        is_past=moment <= cursor,
    )


def _found(events: Vector[RecordedEvent], wanted: str) -> list[int]:
    """The places of the events in which the query stands; those looked at before are not looked at again."""
    known = _searches.get(wanted)
    if known is not None and known.upto <= len(events) and events[known.upto - 1] is known.last:
        count, places = known.upto, known.places
    else:
        count, places = 0, []
    if count < len(events):
        # A new list, so that a search on another branch that shares the first events keeps its own.
        places = places + [
            place for place, recorded in enumerate(events.iterate(count), count) if _matches(recorded, wanted)
        ]
        _searches[wanted] = _Search(len(events), events[-1], places)
        _searches.move_to_end(wanted)
    if len(_searches) > _MOST_SEARCHES:
        _searches.popitem(last=False)
    return places


def _matches(recorded: RecordedEvent, wanted: str) -> bool:
    texts = (
        recorded.stream_id,
        recorded.event_type,
        str(recorded.metadata.get("command", "")),
        recorded.correlation_id,
        shown_fields(recorded.event, LENGTH),
    )
    return any(wanted in text.casefold() for text in texts)
