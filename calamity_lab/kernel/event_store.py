"""The event store as a value: streams, the order over all of them, and subscribers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rpds import HashTrieMap

from calamity_lab.errors import InvalidValue, ModelError, WrongExpectedVersion
from calamity_lab.kernel.constants import ALL, ANY, FORWARDS, NO_STREAM, STREAM_EXISTS, Direction, Expected, StreamId
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent
from calamity_lab.kernel.sources import Clock, Ids, RandomIds, draw, read, system_clock
from calamity_lab.kernel.vector import Vector

_NONE: Vector[RecordedEvent] = Vector()


class InMemoryEventStore:
    """Streams of recorded events as a value: an old one may be appended to again, and forks.

    Bare events may be appended too; they get their ids and times from ``ids`` and ``clock``.
    """

    __slots__ = ("_log", "_streams", "_subscribers", "clock", "ids")

    _log: Vector[RecordedEvent]
    _streams: HashTrieMap[str, Vector[RecordedEvent]]
    _subscribers: HashTrieMap[StreamId, tuple[Subscriber, ...]]
    clock: Clock | Callable[[], datetime]
    ids: Ids | Callable[[], str]

    def __init__(
        self,
        *,
        clock: Clock | Callable[[], datetime] = system_clock,
        ids: Ids | Callable[[], str] = RandomIds(),
    ) -> None:
        self._log = _NONE
        self._streams = HashTrieMap()
        self._subscribers = HashTrieMap()
        self.clock = clock
        self.ids = ids

    @classmethod
    def of(cls, recorded: Iterable[RecordedEvent]) -> InMemoryEventStore:
        """A store that holds a history recorded elsewhere; positions and versions must have no gap."""
        store = cls()
        streams: dict[str, list[RecordedEvent]] = {}
        log = sorted(recorded, key=lambda r: r.position)
        for place, event in enumerate(log, 1):
            stream = streams.setdefault(event.stream_id, [])
            stream.append(event)
            if (event.position, event.stream_version) != (place, len(stream)):
                raise InvalidValue(
                    f"event {event.event_id} of {event.stream_id} is at position {event.position}, version "
                    f"{event.stream_version}; expected {place} and {len(stream)}: the history has a gap or a double"
                )
        store._log = Vector(log)
        store._streams = HashTrieMap({name: Vector(events) for name, events in streams.items()})
        return store

    @classmethod
    def from_streams(cls, streams: Mapping[str, Iterable[Any]]) -> InMemoryEventStore:
        """A store with each of the streams appended in turn, from bare or recorded events."""
        store = cls()
        for stream_id, events in streams.items():
            store = store.append(stream_id, [e.event if isinstance(e, RecordedEvent) else e for e in events])
        return store

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> InMemoryEventStore:
        """The store with the events at the end of the stream; subscribers are told afterwards."""
        if not isinstance(stream_id, str) or not stream_id:
            raise InvalidValue(f"append needs the id of one stream, as in 'BankAccount-1'; found {stream_id!r}")
        stream = self._streams.get(stream_id, _NONE)
        _check(stream_id, expected_version, len(stream))
        proposals = list(events)
        if not proposals:
            return self
        store = self
        if not all(type(event) is ProposedEvent for event in proposals):
            proposals, store = self._proposed(proposals)
        recorded = _record(stream_id, proposals, len(stream), len(self._log))
        store = store._with(self._log.extend(recorded), self._streams.insert(stream_id, stream.extend(recorded)))
        if len(self._subscribers):
            self._tell(stream_id, recorded)
        return store

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) is at least ``start_version``, in that direction."""
        events = self._log if stream_id is ALL else self._streams.get(stream_id, _NONE)
        skip = max(start_version - 1, 0)
        return events.iterate(skip) if direction is FORWARDS else events.backwards(skip)

    def subscribe(self, stream_id: StreamId, subscriber: Subscriber) -> InMemoryEventStore:
        """The store that calls the subscriber with every event appended from now on."""
        if not callable(subscriber):
            raise InvalidValue(f"subscribe needs a callable that takes a RecordedEvent; found {subscriber!r}")
        store = self._with(self._log, self._streams)
        known = self._subscribers.get(stream_id, ())
        store._subscribers = self._subscribers.insert(stream_id, (*known, subscriber))
        return store

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        return len(self._log if stream_id is ALL else self._streams.get(stream_id, _NONE))

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The streams there are, by name."""
        return tuple(sorted(self._streams))

    def __len__(self) -> int:
        return len(self._log)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return iter(self._log)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InMemoryEventStore) and self._log == other._log

    def __hash__(self) -> int:
        return hash(len(self._log))

    def __repr__(self) -> str:
        return f"InMemoryEventStore({len(self._log):,} events in {len(self._streams):,} streams)"

    def _with(
        self, log: Vector[RecordedEvent], streams: HashTrieMap[str, Vector[RecordedEvent]]
    ) -> InMemoryEventStore:
        store = object.__new__(InMemoryEventStore)
        store._log = log
        store._streams = streams
        store._subscribers = self._subscribers
        store.clock = self.clock
        store.ids = self.ids
        return store

    def _proposed(self, events: list[Any]) -> tuple[list[ProposedEvent], InMemoryEventStore]:
        """Bare events dressed with the store's own ids and time; the first is the root of what follows."""
        now, clock = read(self.clock)
        fresh, ids = draw(self.ids, len(events))
        store = self._with(self._log, self._streams)
        store.clock, store.ids = clock, ids
        return [
            event if type(event) is ProposedEvent else ProposedEvent(event, id_, fresh[0], None, now, {})
            for event, id_ in zip(events, fresh, strict=True)
        ], store

    def _tell(self, stream_id: str, recorded: list[RecordedEvent]) -> None:
        subscribers = (*self._subscribers.get(stream_id, ()), *self._subscribers.get(ALL, ()))
        for event in recorded:
            for subscriber in subscribers:
                try:
                    subscriber(event)
                except Exception as error:
                    name = getattr(subscriber, "__qualname__", repr(subscriber))
                    raise ModelError(
                        f"subscriber {name}", f"raised {type(error).__name__}: {error} for {event.event!r}"
                    ) from error


def _record(stream_id: str, proposals: list[ProposedEvent], version: int, position: int) -> list[RecordedEvent]:
    return [
        RecordedEvent(
            event, type(event).__name__, event_id, stream_id, version + n, position + n, correlation_id,
            causation_id, recorded_at, metadata,
        )
        for n, (event, event_id, correlation_id, causation_id, recorded_at, metadata) in enumerate(proposals, 1)
    ]


def _check(stream_id: str, expected: Expected, actual: int) -> None:
    if expected is ANY:
        return
    if expected is NO_STREAM:
        fits = actual == 0
    elif expected is STREAM_EXISTS:
        fits = actual > 0
    elif isinstance(expected, int) and not isinstance(expected, bool) and expected >= 0:
        fits = actual == expected
    else:
        raise InvalidValue(
            f"expected_version={expected!r}: use ANY, NO_STREAM, STREAM_EXISTS or a version from 0 on"
        )
    if not fits:
        raise WrongExpectedVersion(stream_id, expected, actual)
