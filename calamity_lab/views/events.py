"""A table of the recorded events, past and future."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.schema import field_names
from calamity_lab.text import NOTHING, format_fields, format_value
from calamity_lab.trace.trace import Trace
from calamity_lab.views.controls import bounded
from calamity_lab.views.search_index import Searchable, places, small

LENGTH = 400
"""The longest text of the fields of an event."""

_LARGE = 10**100

_Reader = tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]


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
    """A window on the matching events: ``total`` match, ``now`` of them past, ``first`` before it."""

    total: int
    now: int
    first: int
    rows: tuple[EventRow, ...]


def event_rows(
    trace: Trace, cursor: int, *, first: int | None = None, limit: int = 50, query: str = ""
) -> EventTable:
    """The events that match the query, around the cursor or from index ``first`` on."""
    index, wanted, limit = trace.index, query.strip().casefold(), max(1, limit)
    shown_places: Iterable[int]
    if wanted:
        found = found_events(trace, wanted)
        total, now = len(found), bisect_right(found, index.events_at(cursor) - 1)
        first = bounded(first, now, total, limit)
        shown_places = found[first : first + limit]
    else:
        total, now = len(index.events), index.events_at(cursor)
        first = bounded(first, now, total, limit)
        shown_places = range(first, min(first + limit, total))
    rows = (_row(index.events[place], index.event_moments[place], cursor) for place in shown_places)
    return EventTable(total, now, first, tuple(rows))


def _row(recorded: RecordedEvent, moment: int, cursor: int) -> EventRow:
    return EventRow(
        position=recorded.position,
        stream_id=format_value(recorded.stream_id),
        version=recorded.stream_version,
        type=recorded.event_type,
        fields=format_fields(recorded.event, LENGTH),
        command=format_value(recorded.metadata.get("command")),
        correlation=format_value(recorded.correlation_id),
        recorded_at=format_value(recorded.recorded_at),
        moment=moment,
        is_past=moment <= cursor,
    )


def found_events(trace: Trace, wanted: str) -> list[int]:
    """The indices of all events of the run that contain the query, which must be in lower case."""
    events = trace.index.events
    texts = EventTexts()
    return places(
        trace.memo, Searchable("event", len(events), events.__getitem__, events.iterate, texts.of), wanted
    )


class FieldTexts(dict[type, _Reader]):
    """The texts of the fields of messages. How to read the fields of a class is worked out once."""

    def __missing__(self, cls: type) -> _Reader:
        self[cls] = reader = _reader(cls)
        return reader

    def of(self, message: Any) -> str:
        """The text of the fields of a message, as `format_fields` writes it."""
        return _fields(message, self[type(message)])


class EventTexts:
    """The text of each event for the search."""

    def __init__(self) -> None:
        self.fields = FieldTexts()

    def of(self, recorded: RecordedEvent) -> str:
        """The text of an event in which a query is searched."""
        return small(
            recorded.stream_id,
            recorded.event_type,
            str(recorded.metadata.get("command", "")),
            recorded.correlation_id,
            self.fields.of(recorded.event),
        )


def _fields(event: Any, reader: _Reader) -> str:
    """The text of `format_fields`, made faster for plain fields: a search may need it for every event."""
    names, read = reader
    try:
        values = read(event)
    except AttributeError:  # a field that was never set
        return format_fields(event, LENGTH)
    text = ""
    for name, value in zip(names, values, strict=False):
        cls = type(value)
        if cls is str:
            text += name + repr(value)
        elif cls is int and -_LARGE < value < _LARGE:
            text += name + str(value)
        elif value is None:
            text += name + NOTHING
        else:
            return format_fields(event, LENGTH)
    return text if text and len(text) <= LENGTH else format_fields(event, LENGTH)


def _nothing_of(_event: Any) -> tuple[Any, ...]:
    return ()


def _reader(cls: type) -> _Reader:
    """The names of the fields of a class as they are written, and a function that reads their values."""
    names = field_names(cls)
    if not names:
        return (), _nothing_of
    labels = tuple(f", {name}=" if index else f"{name}=" for index, name in enumerate(names))
    # With a single name an `attrgetter` would give a value, and no tuple.
    return labels, attrgetter(*names, names[0])
