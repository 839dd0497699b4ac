"""An event store laid over another: what is below is only read, what is appended stays on top."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.constants import ALL, ANY, BACKWARDS, FORWARDS, Direction, Expected, StreamId
from calamity_lab.kernel.event_store import (
    InMemoryEventStore,
    check_expected,
    checked_stream_id,
    dressed,
    listed,
)
from calamity_lab.kernel.metadata import NOTHING
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent, make_recorded
from calamity_lab.kernel.sources import Clock, Ids, RandomIds, draw, read, system_clock
from calamity_lab.kernel.subscribers import tell
from calamity_lab.kernel.table import Table
from calamity_lab.kernel.vector import Vector
from calamity_lab.stores.overlay.committing import Commit, append_all, append_each
from calamity_lab.stores.overlay.past import Past

_NOTHING: Vector[RecordedEvent] = Vector()


class OverlayEventStore:
    """A real store as of a position, with events on top that only this value has.

    As with an `InMemoryEventStore`, appending gives a new one, and an old one may be appended to again.
    ``position`` is by default that of the last event in ``base``; what is written to the base later is not
    seen. Versions and positions go on from there. Subscribers are told of what is appended on top.
    ``ids`` must not give ids that are in the base already.
    """

    __slots__ = ("_clock", "_ids", "_own", "_past", "_streams", "_subscribers")

    _past: Past
    _own: Vector[RecordedEvent]
    _streams: Table[Vector[RecordedEvent]]  # what is on top, by stream
    _subscribers: tuple[tuple[StreamId, Subscriber], ...]
    _clock: Clock | Callable[[], datetime]
    _ids: Ids | Callable[[], str]

    def __init__(
        self,
        base: Any,
        *,
        position: int | None = None,
        clock: Clock | Callable[[], datetime] = system_clock,
        ids: Ids | Callable[[], str] = RandomIds(),
    ) -> None:
        self._past = Past(base, position)
        self._own = _NOTHING
        self._streams = Table()
        self._subscribers = ()
        self._clock = clock
        self._ids = ids

    @property
    def base(self) -> Any:
        """The store below."""
        return self._past.base

    @property
    def position(self) -> int:
        """As of which position the store below is seen."""
        return self._past.position

    @property
    def serializer(self) -> Any:
        """What the store below names its events with; None where it has none."""
        return getattr(self.base, "serializer", None)

    @property
    def own(self) -> tuple[RecordedEvent, ...]:
        """The events on top, in order, as they are recorded here."""
        return tuple(self._own)

    @property
    def clock(self) -> Clock | Callable[[], datetime]:
        """Where bare events get their times from."""
        return self._clock

    @property
    def ids(self) -> Ids | Callable[[], str]:
        """Where bare events get their ids from."""
        return self._ids

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> OverlayEventStore:
        """The store with the events at the end of the stream, on top; subscribers are told afterwards."""
        stream_id = checked_stream_id(stream_id, "append needs the id of one stream")
        proposals, store = self._proposed(listed(events))
        version = self.version(stream_id)
        check_expected(stream_id, expected_version, version)
        if not proposals:
            return self
        position, name_of, recorded = self.version(ALL), self._past.name_of, []
        for n, (event, event_id, *known) in enumerate(proposals, 1):
            name = name_of(type(event))
            recorded.append(
                make_recorded(event, name, event_id, stream_id, version + n, position + n, *known)
            )
        store._own = self._own.extend(recorded)
        store._streams = self._streams.insert(
            stream_id, self._streams.get(stream_id, _NOTHING).extend(recorded)
        )
        of_stream = [subscriber for of, subscriber in self._subscribers if of == stream_id]
        tell((*of_stream, *(subscriber for of, subscriber in self._subscribers if of is ALL)), recorded)
        return store

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) is at least ``start_version``, in that direction."""
        if direction is not FORWARDS and direction is not BACKWARDS:
            raise InvalidValue(f"stream(direction={direction!r}): use FORWARDS or BACKWARDS")
        if stream_id is ALL:
            own, below = self._own, self.position
        else:
            stream_id = checked_stream_id(stream_id, "stream needs the id of a stream, or ALL")
            own, below = self._streams.get(stream_id, _NOTHING), self._past.version(stream_id)
        skip = max(start_version - below - 1, 0)
        past = self._past.stream(stream_id, start_version, direction)
        return chain(past, own.iterate(skip)) if direction is FORWARDS else chain(own.backwards(skip), past)

    def subscribe(self, stream_id: StreamId, subscriber: Subscriber) -> OverlayEventStore:
        """The store that calls the subscriber with every event appended on top from now on."""
        if not callable(subscriber):
            raise InvalidValue(f"subscribe needs a callable that takes a RecordedEvent; found {subscriber!r}")
        if stream_id is not ALL:
            stream_id = checked_stream_id(stream_id, "subscribe needs the id of a stream, or ALL")
        store = self._copy()
        store._subscribers = (*self._subscribers, (stream_id, subscriber))
        return store

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        if stream_id is ALL:
            return self.position + len(self._own)
        return self._past.version(stream_id) + len(self._streams.get(stream_id, _NOTHING))

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The streams there are, below and on top, by name; asks for the whole history once."""
        return tuple(sorted({*self._past.stream_ids, *self._streams}))

    def commit(self, *, after: int = 0, to: Any = None) -> Commit:
        """Write what is on top to the base in one transaction: the events as recorded there, and the base.

        Ids, causes, times and metadata stay as they are; positions are those that the base gives. Each
        stream must stand where this overlay saw it, or `CommitConflict` tells which have moved on, and
        nothing is written. ``after`` leaves out so many of the first events, because they were committed
        before. A commit whose outcome was not known, because the base went away, may be repeated: what is
        there already is not written again.

        An in-memory base is a value: it stays as it is, and the one with the events is ``store`` of the
        answer, to be given as ``to`` the next time.
        """
        base, own = self.base if to is None else to, tuple(self._own.iterate(after))
        if isinstance(base, (InMemoryEventStore, OverlayEventStore)):
            return append_each(base, own)
        return append_all(base, own)

    def __len__(self) -> int:
        return self.version(ALL)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return self.stream(ALL)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OverlayEventStore) and self._past == other._past and self._own == other._own

    def __hash__(self) -> int:
        return hash((self._past, len(self._own)))

    def __repr__(self) -> str:
        events = "1 event" if len(self._own) == 1 else f"{len(self._own):,} events"
        return f"OverlayEventStore({events} on {self.base!r} as of position {self.position:,})"

    def _copy(self) -> OverlayEventStore:
        store = object.__new__(OverlayEventStore)
        for name in self.__slots__:
            setattr(store, name, getattr(self, name))
        return store

    def _proposed(self, events: list[Any]) -> tuple[list[ProposedEvent], OverlayEventStore]:
        """The events with all that is to be known of them; bare ones are dressed with ids and a time."""
        store = self._copy()
        if all(isinstance(event, ProposedEvent) for event in events):
            return events, store
        now, store._clock = read(self._clock)
        fresh, store._ids = draw(self._ids, len(events))
        return [
            dressed(event, ProposedEvent(event, id_, fresh[0], None, now, NOTHING))
            for event, id_ in zip(events, fresh, strict=True)
        ], store
