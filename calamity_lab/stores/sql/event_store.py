"""An event store in a database: SQLite, or PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Self

from calamity_lab.errors import CommitConflict, InvalidValue
from calamity_lab.kernel.constants import (
    ALL,
    ANY,
    BACKWARDS,
    FORWARDS,
    NO_STREAM,
    STREAM_EXISTS,
    Direction,
    Expected,
    StreamId,
)
from calamity_lab.kernel.event_store import check_expected, checked_stream_id, dressed, listed
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import NO_METADATA, ProposedEvent, RecordedEvent
from calamity_lab.kernel.sources import Clock, Ids, RandomIds, draw, read, system_clock
from calamity_lab.stores.serializer.names import Types
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.sql.opening import open_database
from calamity_lab.stores.sql.rows import Codec, Entry, Heads, backwards, forwards, recorded_from
from calamity_lab.stores.sql.subscription import Subscribers, Subscription

_FAR = 2**63 - 1
_BOUNDS = {ANY: (0, _FAR), NO_STREAM: (0, 0), STREAM_EXISTS: (1, _FAR)}


class Sources:
    """The sources of ids and times for events that come without; drawn from by one thread at a time."""

    def __init__(self, clock: Clock | Callable[[], datetime], ids: Ids | Callable[[], str]) -> None:
        self.clock = clock
        self.ids = ids
        self._lock = threading.Lock()

    def proposals(self, events: Iterable[ProposedEvent | Any]) -> list[ProposedEvent]:
        """The events with what is known of them; bare ones get ids and a time, the first is the root."""
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


def bounds_of(expected: Expected) -> tuple[int, int]:
    """The lowest and the highest version at which a stream may be for an append to be let in."""
    if isinstance(expected, int) and not isinstance(expected, bool) and expected >= 0:
        return (expected, expected) if expected <= _FAR else (_FAR, _FAR)
    try:
        return _BOUNDS[expected]  # type: ignore[index]
    except (KeyError, TypeError):
        raise InvalidValue(
            f"expected_version={expected!r}: use ANY, NO_STREAM, STREAM_EXISTS or a version from 0 on"
        ) from None


def check_all(expected: Mapping[str, Expected], versions: Mapping[str, int]) -> None:
    """Raise `CommitConflict` with every stream that is not at the version expected of it.

    Of one that should exist, version 1 is told as expected.
    """
    moved = {}
    for stream_id, version in expected.items():
        low, high = bounds_of(version)
        if not low <= versions[stream_id] <= high:
            moved[stream_id] = (low, versions[stream_id])
    if moved:
        raise CommitConflict(moved)


def checked_subscription(stream_id: StreamId, subscriber: Subscriber, asked: str) -> StreamId:
    """The stream to follow, once it is clear that it can be one, and that the subscriber can be called."""
    if not callable(subscriber):
        raise InvalidValue(f"{asked} needs a callable that takes a RecordedEvent; found {subscriber!r}")
    return (
        stream_id
        if stream_id is ALL
        else checked_stream_id(stream_id, f"{asked} needs the id of a stream, or ALL")
    )


_FAR = 2**63 - 1
_POSITION, _VERSION = 0, 2  # the columns by which streams are read


class SQLEventStore:
    """Streams of recorded events in a database with a URL: ``SQLEventStore("sqlite:///bank.db", bank)``.

    ``types`` are the model whose events are read (a Model, a module, classes, or a `Serializer`); the classes
    of events that are appended here are learnt. An event of a class that is not known is read as
    `UnknownEvent`. Bare events get their ids and times from ``ids`` and ``clock``.

    ``timeout`` is how many seconds an append waits for other writers, ``poll`` how often subscriptions look
    where nobody tells them. What is appended is there for everybody at once: an append returns the store.
    It may be used from several threads, and after a fork.
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
        self._codec = Codec(self.serializer)
        self._sources = Sources(clock, ids)
        self._database = open_database(url, timeout=timeout, poll=poll, read_only=read_only)
        self._statements = self._database.statements
        self._subscriptions: list[Subscription] = []
        self._subscribers = Subscribers()
        self._telling: Subscription | None = None
        self._lock = threading.Lock()

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> Self:
        """Record events at the end of a stream, all or none.

        Raises `WrongExpectedVersion` and writes nothing when the stream is not at the version expected.
        """
        stream_id = checked_stream_id(stream_id, "append needs the id of one stream")
        proposals = self._sources.proposals(events)
        entries = self._codec.entries([(stream_id, proposal) for proposal in proposals])
        self._write(stream_id, entries, expected_version)
        return self

    def record(
        self, stream_id: str, proposals: Sequence[ProposedEvent], expected_version: Expected
    ) -> tuple[tuple[RecordedEvent, ...], Self]:
        """Append events of which all is known: what was recorded, as a read would find it, and the store.

        Nothing is read from the database, and nothing is written that could not be read.
        """
        entries = self._codec.entries([(stream_id, proposal) for proposal in proposals])
        known = self._codec.read_back(entries)
        heads = self._write(stream_id, entries, expected_version)
        return recorded_from(entries, known, heads), self

    def append_all(
        self,
        entries: Iterable[tuple[str, ProposedEvent]],
        *,
        expected_versions: Mapping[str, Expected] = {},
    ) -> tuple[RecordedEvent, ...]:
        """Record events of several streams in one transaction, in the given order: what was recorded.

        Where a stream is not at the version expected, nothing is written: `CommitConflict` names all of them.
        """
        proposals = [
            (checked_stream_id(stream_id, "append_all needs the id of a stream with each event"), proposal)
            for stream_id, proposal in entries
        ]
        expected = {**dict.fromkeys([stream_id for stream_id, _ in proposals], ANY), **expected_versions}
        bounds = {stream_id: bounds_of(version) for stream_id, version in expected.items()}
        if not proposals:
            check_all(expected, {stream_id: self.version(stream_id) for stream_id in bounds})
            return ()
        rows = self._codec.entries(proposals)
        known = self._codec.read_back(rows)
        heads = self._database.append(rows, bounds)
        check_all(expected, heads.versions)
        return recorded_from(rows, known, heads)

    def stream(
        self,
        stream_id: StreamId,
        *,
        start_version: int = 0,
        direction: Direction = FORWARDS,
        upto_position: int | None = None,
    ) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) is at least ``start_version``, in that direction.

        They are what was there when it was called, up to ``upto_position``; they are read as they are
        consumed, some at a time.
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
        """The streams there are, by name."""
        return tuple(
            sorted(row[0] for row in self._database.rows(self._statements.stream_ids, {}, "read from"))
        )

    def subscribe(self, stream_id: StreamId, subscriber: Subscriber) -> Self:
        """Call the subscriber with every event appended from now on, by whomever, once each, in order.

        It is called from a thread of the store's. One that raises is not called again: the error is logged,
        and is in `subscriber_errors`.
        """
        stream_id = checked_subscription(stream_id, subscriber, "subscribe")
        with self._lock:
            position = self.version(ALL)
            if self._telling is None or not self._telling.running:
                self._subscribers = Subscribers(self._subscribers.errors)
                self._telling = self._follow(ALL, self._subscribers.tell, position + 1)
            self._subscribers.add(stream_id, subscriber, position)
        return self

    def subscription(
        self, stream_id: StreamId, subscriber: Subscriber, *, start_version: int = 1
    ) -> Subscription:
        """Call the subscriber with every event from a version (with ALL: a position) on, and with new ones.

        Each comes once, in order, from a thread of its own. ``.close()`` ends it, ``.error`` says what did.
        """
        stream_id = checked_subscription(stream_id, subscriber, "subscription")
        with self._lock:
            return self._follow(stream_id, subscriber, max(start_version, 1))

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The subscriptions that were begun here and are not closed; that of `subscribe` is one of them."""
        return tuple(self._subscriptions)

    @property
    def subscriber_errors(self) -> tuple[Exception, ...]:
        """What subscribers that `subscribe` was given have raised."""
        return tuple(self._subscribers.errors)

    @property
    def clock(self) -> Clock | Callable[[], datetime]:
        """Where bare events get their times from."""
        return self._sources.clock

    @property
    def ids(self) -> Ids | Callable[[], str]:
        """Where bare events get their ids from."""
        return self._sources.ids

    def close(self) -> None:
        """End the subscriptions and give back the connections; closing twice does no harm."""
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

    def _write(self, stream_id: str, entries: Sequence[Entry], expected: Expected) -> Heads:
        """Append entries to a stream that is at the version expected: where the ends were."""
        bounds = bounds_of(expected)
        if entries:
            heads = self._database.append(entries, {stream_id: bounds})
        else:  # there is nothing to write, so whether the version is right is all there is to say
            heads = Heads(0, {} if expected is ANY else {stream_id: self.version(stream_id)})
        if expected is not ANY:
            check_expected(stream_id, expected, heads.versions[stream_id])
        return heads

    def _rows(self, stream_id: StreamId, low: int, upto: int, direction: Direction) -> Iterator[Any]:
        whole, on = stream_id is ALL, direction is FORWARDS
        of_one, of_all = ("forwards", "all_forwards") if on else ("backwards", "all_backwards")
        statement: str = getattr(self._statements, of_all if whole else of_one)
        values = {} if whole else {"stream_id": stream_id, "upto": upto}
        read = self._database.rows

        def fetch(low: int, high: int, size: int) -> list[Any]:
            return read(statement, {**values, "low": low, "high": high, "size": size}, "read from")

        key, high = (_POSITION, upto) if whole else (_VERSION, _FAR)
        if on:
            return forwards(fetch, low, high, key, lambda: self.version(stream_id))
        return backwards(fetch, low, high, key)

    def _follow(self, stream_id: StreamId, subscriber: Subscriber, start: int) -> Subscription:
        made = Subscription(
            f"{stream_id!r} of {self._database.name!r}",
            lambda after: self.stream(stream_id, start_version=after),
            subscriber,
            self._database.waiting(),
            start,
            place=attrgetter("position" if stream_id is ALL else "stream_version"),
            ended=self._ended,
        )
        self._subscriptions.append(made)
        return made

    def _ended(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
