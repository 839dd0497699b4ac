"""`SQLEventStore`: events in SQLite or PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Self

from calamity_lab.errors import CommitConflict, InvalidValue
from calamity_lab.kernel.clocks_and_ids import Clock, Ids, RandomIds, draw, read, system_clock
from calamity_lab.kernel.event_store import NotCopied, check_expected, checked_stream_id, dressed, listed
from calamity_lab.kernel.protocols import (
    ALL,
    ANY,
    BACKWARDS,
    FORWARDS,
    NO_STREAM,
    STREAM_EXISTS,
    Direction,
    Expected,
    StreamId,
    Subscriber,
)
from calamity_lab.kernel.recorded import NO_METADATA, ProposedEvent, RecordedEvent
from calamity_lab.stores.serializer.names import Types
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.sql.opening import open_database
from calamity_lab.stores.sql.rows import Heads, RowCodec, StoredRow, backwards, forwards, recorded_from
from calamity_lab.stores.sql.subscription import Subscribers, Subscription

_FAR = 2**63 - 1
_BOUNDS = {ANY: (0, _FAR), NO_STREAM: (0, 0), STREAM_EXISTS: (1, _FAR)}


_POSITION, _VERSION = 0, 2  # the columns by which streams are read


class SQLEventStore(NotCopied):
    """Streams of recorded events in a database: ``SQLEventStore("sqlite:///bank.db", bank)``.

    ``types`` is the model: a Model, a module, classes, or a `Serializer`. The store also learns the classes
    of the events that are appended. It reads an event of an unknown class as an `UnknownEvent`. Bare events
    get their ids from ``ids`` and their times from ``clock``.

    ``timeout`` is the number of seconds that an append waits for other writers. ``poll`` is the number of
    seconds between two looks of a subscription, where the database does not notify it. Everybody sees an
    append at once, so `append` returns the same store. The store may be used from several threads, in the
    process that opened it. A process that is forked from that one opens a store of its own.

    Behind a transaction pooler, such as PgBouncer, the store leaves nothing in a session: ``pooled=yes``
    in the URL names a pooler that the store does not notice by itself.
    """

    def __init__(
        self,
        url: Any,
        types: Types | Serializer = (),
        *,
        clock: Clock | Callable[[], datetime] = system_clock,
        ids: Ids | Callable[[], str] = RandomIds(),
        poll: float | None = None,
        read_only: bool = False,
        timeout: float = 10.0,
    ) -> None:
        self.url = url
        self.serializer = types if isinstance(types, Serializer) else Serializer(types)
        self._codec = RowCodec(self.serializer)
        self._sources = _Sources(clock, ids)
        self._database = open_database(url, timeout=timeout, poll=poll, read_only=read_only)
        self._statements = self._database.statements
        self._subscriptions: list[Subscription] = []
        self._subscribers = Subscribers()
        self._notifying: Subscription | None = None
        self._lock = threading.Lock()

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> Self:
        """Append events to a stream, all or none.

        Raises `WrongExpectedVersion`, and writes nothing, when the stream is not at the expected version.
        """
        self._database.check_open()
        stream_id = checked_stream_id(stream_id, "append needs the id of one stream")
        proposals = self._sources.proposals(events)
        entries = self._codec.entries([(stream_id, proposal) for proposal in proposals])
        self._write(stream_id, entries, expected_version)
        return self

    def record(
        self, stream_id: str, proposals: Sequence[ProposedEvent], expected_version: Expected
    ) -> tuple[tuple[RecordedEvent, ...], Self]:
        """Append events that have their ids and times; return the recorded events and the store.

        The recorded events equal those that `stream` reads; the database is not asked for them. An event that
        could not be read is refused before anything is written.
        """
        self._database.check_open()
        entries = self._codec.entries([(stream_id, proposal) for proposal in proposals])
        contents = self._codec.read_back(entries)
        heads = self._write(stream_id, entries, expected_version)
        return recorded_from(entries, contents, heads), self

    def append_all(
        self,
        entries: Iterable[tuple[str, ProposedEvent]],
        *,
        expected_versions: Mapping[str, Expected] = {},
    ) -> tuple[RecordedEvent, ...]:
        """Append events to several streams in one transaction, in the given order; return what was recorded.

        When streams are not at their expected versions, nothing is written, and `CommitConflict` names them.
        """
        self._database.check_open()
        proposals = [
            (checked_stream_id(stream_id, "append_all needs the id of a stream with each event"), proposal)
            for stream_id, proposal in entries
        ]
        expected = {**dict.fromkeys([stream_id for stream_id, _ in proposals], ANY), **expected_versions}
        bounds = {stream_id: _bounds_of(version) for stream_id, version in expected.items()}
        if not proposals:
            _check_all(expected, {stream_id: self.version(stream_id) for stream_id in bounds})
            return ()
        rows = self._codec.entries(proposals)
        contents = self._codec.read_back(rows)
        heads = self._database.append(rows, bounds)
        _check_all(expected, heads.versions)
        return recorded_from(rows, contents, heads)

    def stream(
        self,
        stream_id: StreamId,
        *,
        start_version: int = 0,
        direction: Direction = FORWARDS,
        upto_position: int | None = None,
    ) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) is at least ``start_version``, in that direction.

        Events that are appended later, or lie behind ``upto_position``, are not among them. The events are
        read page by page, while they are consumed.
        """
        if direction is not FORWARDS and direction is not BACKWARDS:
            raise InvalidValue(f"stream(direction={direction!r}): use FORWARDS or BACKWARDS")
        if stream_id is not ALL:
            stream_id = checked_stream_id(stream_id, "stream needs the id of a stream, or ALL")
        low = min(max(start_version, 0), _FAR)
        upto = _FAR if upto_position is None else min(max(upto_position, 0), _FAR)
        return map(self._codec.recorded, self._rows(stream_id, low, upto, direction))

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        if stream_id is ALL:
            return self._database.number(self._statements.position, {}, "read from")
        stream_id = checked_stream_id(stream_id, "version needs the id of a stream, or ALL")
        return self._database.number(self._statements.version, {"stream_id": stream_id}, "read from")

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The ids of all streams, sorted."""
        return tuple(
            sorted(row[0] for row in self._database.rows(self._statements.stream_ids, {}, "read from"))
        )

    def subscribe(self, stream_id: StreamId, subscriber: Subscriber) -> Self:
        """Call the subscriber once for each event that anybody appends from now on, in order.

        The store calls it from a thread of its own. A subscriber that raises is not called again: the error
        is logged, and added to `subscriber_errors`.
        """
        self._database.check_open()
        stream_id = _checked_subscription(stream_id, subscriber, "subscribe")
        with self._lock:
            position = self.version(ALL)
            if self._notifying is None or not self._notifying.running:
                self._subscribers = Subscribers(self._subscribers.errors)
                self._notifying = self._follow(ALL, self._subscribers.notify, position + 1)
            self._subscribers.add(stream_id, subscriber, position)
        return self

    def subscription(
        self, stream_id: StreamId, subscriber: Subscriber, *, start_version: int = 1
    ) -> Subscription:
        """Call the subscriber once for each event from a version (with ALL: a position) on, also new ones.

        The events come in order, from a thread of the subscription. ``.close()`` ends the subscription;
        ``.error`` is the error that ended it.
        """
        self._database.check_open()
        stream_id = _checked_subscription(stream_id, subscriber, "subscription")
        with self._lock:
            return self._follow(stream_id, subscriber, max(start_version, 1))

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The open subscriptions of this store; `subscribe` uses one of them."""
        return tuple(self._subscriptions)

    @property
    def subscriber_errors(self) -> tuple[Exception, ...]:
        """The errors that subscribers of `subscribe` raised."""
        return tuple(self._subscribers.errors)

    @property
    def clock(self) -> Clock | Callable[[], datetime]:
        """The source of times for bare events."""
        return self._sources.clock

    @property
    def ids(self) -> Ids | Callable[[], str]:
        """The source of ids for bare events."""
        return self._sources.ids

    def close(self) -> None:
        """Close the subscriptions and the connections; closing twice does no harm.

        In a process that was forked from the one that opened the store this does nothing.
        """
        if self._database.is_inherited:
            return
        for subscription in self.subscriptions:
            subscription.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.version(ALL)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return self.stream(ALL)

    def __repr__(self) -> str:
        return f"SQLEventStore({self._database.name!r})"

    def _write(self, stream_id: str, entries: Sequence[StoredRow], expected: Expected) -> Heads:
        """Append entries to a stream at its expected version; return where the ends were."""
        bounds = _bounds_of(expected)
        if entries:
            heads = self._database.append(entries, {stream_id: bounds})
        else:  # without entries there is only the version to check
            heads = Heads(0, {} if expected is ANY else {stream_id: self.version(stream_id)})
        if expected is not ANY:
            check_expected(stream_id, expected, heads.versions[stream_id])
        return heads

    def _rows(self, stream_id: StreamId, low: int, upto: int, direction: Direction) -> Iterator[Any]:
        whole, ascending = stream_id is ALL, direction is FORWARDS
        of_one, of_all = ("forwards", "all_forwards") if ascending else ("backwards", "all_backwards")
        statement: str = getattr(self._statements, of_all if whole else of_one)
        values = {} if whole else {"stream_id": stream_id, "upto": upto}
        read = self._database.rows

        def fetch(low: int, high: int, size: int) -> list[Any]:
            return read(statement, {**values, "low": low, "high": high, "size": size}, "read from")

        key, high = (_POSITION, upto) if whole else (_VERSION, _FAR)
        if ascending:
            return forwards(fetch, low, high, key, lambda: self.version(stream_id))
        return backwards(fetch, low, high, key)

    def _follow(self, stream_id: StreamId, subscriber: Subscriber, start: int) -> Subscription:
        made = Subscription(
            f"{stream_id!r} of {self._database.name!r}",
            lambda after: self.stream(stream_id, start_version=after),
            subscriber,
            self._database.waiting(),
            start,
            number_of=attrgetter("position" if stream_id is ALL else "stream_version"),
            ended=self._ended,
        )
        self._subscriptions.append(made)
        return made

    def _ended(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)


class _Sources:
    """Gives ids and times to events that have none; safe to use from threads."""

    def __init__(self, clock: Clock | Callable[[], datetime], ids: Ids | Callable[[], str]) -> None:
        self.clock = clock
        self.ids = ids
        self._lock = threading.Lock()

    def proposals(self, events: Iterable[ProposedEvent | Any]) -> list[ProposedEvent]:
        """The events with their ids and times; the id of the first one is the correlation id of all."""
        given = listed(events)
        if all([event.__class__ is ProposedEvent for event in given]):
            return given
        with self._lock:
            now, self.clock = read(self.clock)
            fresh, self.ids = draw(self.ids, len(given))
        return [
            dressed(event, ProposedEvent(event, id_, fresh[0], None, now, NO_METADATA))
            for event, id_ in zip(given, fresh, strict=True)
        ]


def _bounds_of(expected: Expected) -> tuple[int, int]:
    """The lowest and the highest version of a stream that fit an expectation."""
    if isinstance(expected, int) and not isinstance(expected, bool) and expected >= 0:
        return (expected, expected) if expected <= _FAR else (_FAR, _FAR)
    try:
        return _BOUNDS[expected]  # type: ignore[index]
    except (KeyError, TypeError):
        raise InvalidValue(
            f"expected_version={expected!r}: use ANY, NO_STREAM, STREAM_EXISTS or a version from 0 on"
        ) from None


def _check_all(expected: Mapping[str, Expected], versions: Mapping[str, int]) -> None:
    """Raise `CommitConflict` with every stream that is not at its expected version.

    For `STREAM_EXISTS` the error shows 1 as the expected version.
    """
    moved = {}
    for stream_id, version in expected.items():
        low, high = _bounds_of(version)
        if not low <= versions[stream_id] <= high:
            moved[stream_id] = (low, versions[stream_id])
    if moved:
        raise CommitConflict(moved)


def _checked_subscription(stream_id: StreamId, subscriber: Subscriber, method: str) -> StreamId:
    """The id of the stream, after a check of both arguments of a method."""
    if not callable(subscriber):
        raise InvalidValue(f"{method} needs a callable that takes a RecordedEvent; found {subscriber!r}")
    if stream_id is ALL:
        return stream_id
    return checked_stream_id(stream_id, f"{method} needs the id of a stream, or ALL")
