"""`OverlayEventStore`: a store whose events lie on top of another store, which is only read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from inspect import signature
from itertools import chain, dropwhile, takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from calamity_lab.errors import CommitConflict, InvalidValue, OutOfRange, repr_of
from calamity_lab.kernel.arguments import a_whole_number, has, is_a, wrong
from calamity_lab.kernel.clocks_and_ids import Clock, Ids, RandomIds, check_sources, draw, read, system_clock
from calamity_lab.kernel.event_store import (
    InMemoryEventStore,
    check_expected,
    checked_proposals,
    checked_start,
    checked_stream_id,
    checked_subscription,
    dressed,
    listed,
    notify,
    refuse_name,
)
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.persistent import PersistentMap, PersistentVector
from calamity_lab.kernel.protocols import (
    ALL,
    ANY,
    BACKWARDS,
    FORWARDS,
    Category,
    Direction,
    Expected,
    StreamId,
    Subscriber,
)
from calamity_lab.kernel.recorded import NO_METADATA, ProposedEvent, RecordedEvent, make_recorded
from calamity_lab.text import plural

_NOTHING: PersistentVector[RecordedEvent] = PersistentVector()
_position: Callable[[RecordedEvent], int] = attrgetter("position")
_stream_version: Callable[[RecordedEvent], int] = attrgetter("stream_version")


class Commit(NamedTuple):
    """What a commit wrote: the events as the store below recorded them, and that store after the commit."""

    events: tuple[RecordedEvent, ...]
    store: Any


class OverlayEventStore:
    """A real store as of a position, with events on top that only this value has.

    It is a value, as an `InMemoryEventStore` is: appending gives a new one, and an old one may be appended to
    again. ``position`` is by default that of the last event in ``base``; events that are written to the base
    later are not seen. Versions and positions continue from there. Subscribers are called for the events on
    top. ``ids`` must not give ids that the base has already.
    """

    __slots__ = ("_clock", "_ids", "_own", "_past", "_streams", "_subscribers")

    _past: _Past
    _own: PersistentVector[RecordedEvent]
    _streams: PersistentMap[PersistentVector[RecordedEvent]]  # what is on top, by stream
    _subscribers: tuple[tuple[StreamId | Category, Subscriber], ...]
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
        check_sources("OverlayEventStore", clock, ids)
        self._past = _Past(base, position)
        self._own = _NOTHING
        self._streams = PersistentMap()
        self._subscribers = ()
        self._clock = clock
        self._ids = ids

    @property
    def base(self) -> Any:
        """The store below."""
        return self._past.base

    @property
    def position(self) -> int:
        """The position up to which the store below is seen."""
        return self._past.position

    @property
    def serializer(self) -> Any:
        """The serializer of the store below; None when it has none."""
        return getattr(self.base, "serializer", None)

    @property
    def own(self) -> tuple[RecordedEvent, ...]:
        """The events on top, in order, with the positions and versions that they have here."""
        return tuple(self._own)

    @property
    def clock(self) -> Clock | Callable[[], datetime]:
        """The source of times for bare events."""
        return self._clock

    @property
    def ids(self) -> Ids | Callable[[], str]:
        """The source of ids for bare events."""
        return self._ids

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> OverlayEventStore:
        """The store with the events appended to the stream, on top; subscribers are called afterwards."""
        stream_id = checked_stream_id(stream_id, "append needs the id of one stream")
        proposals, store = self._proposed(listed(events))
        recorded, store = store.record(stream_id, proposals, expected_version)
        return store if recorded else self

    def record(
        self, stream_id: str, proposals: Sequence[ProposedEvent], expected_version: Expected
    ) -> tuple[tuple[RecordedEvent, ...], OverlayEventStore]:
        """Append events that have their ids and times; return the recorded events and the new store."""
        proposals = checked_proposals(proposals)
        stream_id = checked_stream_id(stream_id, "record needs the id of one stream")
        version = self.version(stream_id)
        check_expected(stream_id, expected_version, version)
        if not proposals:
            return (), self
        position, recorded = self.version(ALL), []
        for n, (event, event_id, *known) in enumerate(proposals, 1):
            name = stored_name(type(event))
            recorded.append(
                make_recorded(event, name, event_id, stream_id, version + n, position + n, *known)
            )
        store = self._copy()
        store._own = self._own.extend(recorded)
        own = self._streams.get(stream_id, _NOTHING).extend(recorded)
        store._streams = self._streams.insert(stream_id, own)
        wanted = (stream_id, Category.of(stream_id), ALL)
        notify([each for at in wanted for of, each in self._subscribers if of == at], recorded)
        return tuple(recorded), store

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) is at least ``start_version``, in that direction."""
        start_version = checked_start(start_version, direction)
        if stream_id is ALL:
            own, below = self._own, self.position
        else:
            stream_id = checked_stream_id(stream_id, "stream needs the id of a stream, or ALL")
            own, below = self._streams.get(stream_id, _NOTHING), self._past.version(stream_id)
        skip = max(start_version - below - 1, 0)
        past = self._past.stream(stream_id, start_version, direction)
        return chain(past, own.iterate(skip)) if direction is FORWARDS else chain(own.backwards(skip), past)

    def subscribe(
        self, stream_id: StreamId | Category, subscriber: Subscriber, *, name: str | None = None
    ) -> OverlayEventStore:
        """The store that calls the subscriber with every event appended on top from now on.

        A ``name`` is an error: an overlay writes no checkpoint to the store below.
        """
        stream_id = checked_subscription(stream_id, subscriber)
        refuse_name(name, "an overlay only reads the store below")
        store = self._copy()
        store._subscribers = (*self._subscribers, (stream_id, subscriber))
        return store

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        if stream_id is ALL:
            return self.position + len(self._own)
        stream_id = checked_stream_id(stream_id, "version needs the id of a stream, or ALL")
        return self._past.version(stream_id) + len(self._streams.get(stream_id, _NOTHING))

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The ids of all streams, below and on top, sorted; reads the whole history once."""
        return tuple(sorted({*self._past.stream_ids, *self._streams}))

    def commit(self, *, after: int = 0, to: Any = None) -> Commit:
        """Write the events on top to the base in one transaction; return what was recorded, and the base.

        Ids, causes, times and metadata stay as they are; the base gives new positions. When a stream of the
        base is not where this overlay saw it, nothing is written, and `CommitConflict` names the streams.
        ``after`` is the number of events that were committed before; they are left out. A commit may be
        repeated when its outcome was unknown, because the base went away: what is there is not written again.

        An in-memory base is a value and stays as it is. The store with the events is ``store`` of the answer;
        give it as ``to`` the next time.
        """
        after = a_whole_number("commit(after)", after)
        if to is not None and not has(to, "stream", "version"):
            raise wrong("commit(to)", to, "an event store, as in the store that the last commit returned")
        base, own = self.base if to is None else to, tuple(self._own.iterate(after))
        if isinstance(base, (InMemoryEventStore, OverlayEventStore)):
            return _append_each(base, own)
        return _append_all(base, own)

    def __len__(self) -> int:
        return self.version(ALL)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return self.stream(ALL)

    def __eq__(self, other: object) -> bool:
        return type(other) is OverlayEventStore and self._past == other._past and self._own == other._own

    def __hash__(self) -> int:
        return hash((self._past, len(self._own)))

    def __repr__(self) -> str:
        own = plural(len(self._own), "event")
        return f"OverlayEventStore({own} on {repr_of(self.base)} as of position {self.position:,})"

    def _copy(self) -> OverlayEventStore:
        store = object.__new__(OverlayEventStore)
        for name in self.__slots__:
            setattr(store, name, getattr(self, name))
        return store

    def _proposed(self, events: list[Any]) -> tuple[list[ProposedEvent], OverlayEventStore]:
        """The events with their ids and times, and a store whose sources go on from there."""
        store = self._copy()
        if all([is_a(event, ProposedEvent) for event in events]):
            return events, store
        now, store._clock = read(self._clock)
        fresh, store._ids = draw(self._ids, len(events))
        return [
            dressed(event, ProposedEvent(event, id_, fresh[0], None, now, NO_METADATA))
            for event, id_ in zip(events, fresh, strict=True)
        ], store


class _Read(NamedTuple):
    """The events of a stream from a version on, to its end."""

    start: int
    events: tuple[RecordedEvent, ...]


class _Past:
    """A store as it was at a position. All overlays on it share what one of them has read.

    A stream that was read to its end is kept. With ALL that is the whole history, and with it all streams.
    """

    __slots__ = ("_kept", "_knows_positions", "_versions", "_whole", "base", "position")

    def __init__(self, base: Any, position: int | None) -> None:
        for member in ("stream", "version"):
            if not has(base, member):
                raise InvalidValue(
                    f"{repr_of(base)} has no {member}(), so it cannot be the base of an overlay; give an "
                    "event store, as in OverlayEventStore(SQLEventStore('sqlite:///bank.db', bank))"
                )
        self.base = base
        self.position = _checked(position, base.version(ALL))
        self._knows_positions = "upto_position" in signature(base.stream).parameters
        self._kept: dict[StreamId, _Read] = {}
        self._versions: dict[str, int] = {}
        self._whole = self.position == 0  # whether everything was read

    def version(self, stream_id: str) -> int:
        """The version that a stream had; 0 when there was no such stream."""
        known = self._versions.get(stream_id)
        if known is None:
            last = None if self._whole else next(self._backwards(stream_id, 0), None)
            known = self._versions[stream_id] = 0 if last is None else last.stream_version
        return known

    def stream(self, stream_id: StreamId, start: int, direction: Direction) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) was at least ``start``, in that direction."""
        start = max(start, 1)
        if start > (self.position if stream_id is ALL else self.version(stream_id)):
            return iter(())
        kept = self._kept.get(stream_id)
        if kept is None or start < kept.start:
            forwards = direction is FORWARDS
            return self._remembered(stream_id, start) if forwards else self._backwards(stream_id, start)
        number = _position if stream_id is ALL else _stream_version
        events = kept.events[bisect_left(kept.events, start, key=number) :]
        return iter(events) if direction is FORWARDS else reversed(events)

    @property
    def stream_ids(self) -> Iterable[str]:
        """The ids of the streams that there were."""
        if not self._whole:
            for _ in self.stream(ALL, 1, FORWARDS):
                pass
        return [stream_id for stream_id in self._kept if stream_id is not ALL]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, _Past) and (self.position, self.base) == (other.position, other.base)

    def __hash__(self) -> int:
        return hash(self.position)

    def _remembered(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        """The events from the base, one by one; they are kept when the last one was read."""
        read = []
        for event in self._forwards(stream_id, start):
            read.append(event)
            yield event
        if stream_id is ALL and start == 1:
            self._keep_all(read)
        self._kept[stream_id] = _Read(start, tuple(read))

    def _keep_all(self, log: Iterable[RecordedEvent]) -> None:
        streams: dict[str, list[RecordedEvent]] = {}
        for event in log:
            streams.setdefault(event.stream_id, []).append(event)
        for stream_id, events in streams.items():
            self._kept[stream_id] = _Read(1, tuple(events))
            self._versions[stream_id] = events[-1].stream_version
        self._whole = True

    def _forwards(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        if self._knows_positions:
            return iter(self.base.stream(stream_id, start_version=start, upto_position=self.position))
        return takewhile(self._was_there, self.base.stream(stream_id, start_version=start))

    def _backwards(self, stream_id: StreamId, start: int) -> Iterator[RecordedEvent]:
        options: dict[str, Any] = {"start_version": start, "direction": BACKWARDS}
        if self._knows_positions:
            return iter(self.base.stream(stream_id, **options, upto_position=self.position))
        return dropwhile(lambda event: not self._was_there(event), self.base.stream(stream_id, **options))

    def _was_there(self, event: RecordedEvent) -> bool:
        return event.position <= self.position


def _checked(position: int | None, head: int) -> int:
    """The position, after a check that the store has come that far; by default that of the last event."""
    if position is None:
        return head
    try:
        position = a_whole_number("position", position)
    except InvalidValue as error:
        works = f"a whole number from 0 (before the first event) to {head}"
        raise wrong("position", position, works) from error
    if position > head:
        raise OutOfRange(
            f"position={position}: the last event of the store is at position {head}; give "
            "a position up to that"
        )
    return position


def _append_all(store: Any, own: Sequence[RecordedEvent]) -> Commit:
    """Write the events to a store that is not a value, in one transaction."""
    if not own:
        return Commit((), store)
    if not has(store, "append_all"):
        raise InvalidValue(
            f"{repr_of(store)} cannot be committed to: it has no append_all(entries, expected_versions=...), "
            "which writes to several streams at once or not at all; a SQLEventStore has it"
        )
    try:
        recorded = store.append_all(_entries(own), expected_versions=_expected_versions(own))
    except CommitConflict:
        recorded = _written_before(store, own)
        if not recorded:
            raise
    return Commit(tuple(recorded), store)


def _append_each(store: Any, own: Sequence[RecordedEvent]) -> Commit:
    """Append the events to a store that is a value; the old one stays as it was, so all come at once too."""
    moved = {
        stream_id: (expected, store.version(stream_id))
        for stream_id, expected in _expected_versions(own).items()
        if store.version(stream_id) != expected
    }
    if moved:
        raise CommitConflict(moved)
    head = store.version(ALL)
    for stream_id, proposed in _entries(own):
        store = store.append(stream_id, [proposed])
    return Commit(tuple(store.stream(ALL, start_version=head + 1)), store)


def _expected_versions(own: Sequence[RecordedEvent]) -> dict[str, int]:
    """The version that each stream must have for the events to follow."""
    expected: dict[str, int] = {}
    for event in own:
        expected.setdefault(event.stream_id, event.stream_version - 1)
    return expected


def _written_before(store: Any, own: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The same events, when an earlier commit whose outcome was unknown has written them."""
    there = {
        event.event_id: event
        for stream_id, version in _expected_versions(own).items()
        for event in store.stream(stream_id, start_version=version + 1)
    }
    found = [there.get(event.event_id, event) for event in own]
    same = all(
        here is not event and here.event == event.event for here, event in zip(found, own, strict=True)
    )
    return found if same else []


def _entries(own: Sequence[RecordedEvent]) -> list[tuple[str, ProposedEvent]]:
    """The events with their streams, without the positions and versions that a store gives."""
    return [
        (
            event.stream_id,
            ProposedEvent(
                event.event,
                event.event_id,
                event.correlation_id,
                event.causation_id,
                event.recorded_at,
                event.metadata,
            ),
        )
        for event in own
    ]
