"""The event store as a value: streams, the order over all of them, and subscribers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Self

from rpds import HashTrieMap, List

from calamity_lab.errors import InvalidValue, ModelError, WrongExpectedVersion, repr_of
from calamity_lab.kernel.arguments import a_function, a_list, a_mapping, a_whole_number, is_a, words_of, wrong
from calamity_lab.kernel.clocks_and_ids import Clock, Ids, RandomIds, check_sources, draw, read, system_clock
from calamity_lab.kernel.frozen import FrozenCollection, made, remade
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.persistent import PersistentMap, PersistentVector
from calamity_lab.kernel.protocols import (
    ALL,
    ANY,
    BACKWARDS,
    FORWARDS,
    NO_STREAM,
    STREAM_EXISTS,
    Category,
    Direction,
    Expected,
    StreamId,
    Subscriber,
)
from calamity_lab.kernel.recorded import NO_METADATA, ProposedEvent, RecordedEvent

_NO_STREAM: List[RecordedEvent] = List()


class _Log(PersistentVector[RecordedEvent], gc=False):
    """All events of a store, in order."""


class InMemoryEventStore(FrozenCollection):
    """Streams of recorded events as a value: an old one may be appended to again, and forks.

    Bare events may be appended too; they get their ids and times from ``ids`` and ``clock``.
    """

    _log: _Log
    _streams: PersistentMap[List[RecordedEvent]]  # each with the latest event first
    _subscribers: HashTrieMap[StreamId | Category | None, tuple[Subscriber, ...]]
    clock: Clock | Callable[[], datetime]  # where bare events get their times from
    ids: Ids | Callable[[], str]  # where bare events get their ids from

    @classmethod
    def _of(
        cls,
        *,
        clock: Clock | Callable[[], datetime] = system_clock,
        ids: Ids | Callable[[], str] = RandomIds(),
    ) -> Self:
        check_sources("InMemoryEventStore", clock, ids)
        return made(cls, _Log(), PersistentMap(), HashTrieMap(), clock, ids)

    @classmethod
    def of(
        cls,
        recorded: Iterable[RecordedEvent],
        *,
        clock: Clock | Callable[[], datetime] = system_clock,
        ids: Ids | Callable[[], str] = RandomIds(),
    ) -> InMemoryEventStore:
        """A store that holds a history recorded elsewhere; positions and versions must have no gap."""
        streams: dict[str, list[RecordedEvent]] = {}
        log = a_list("InMemoryEventStore.of(recorded)", recorded, "store.stream(ALL)", of=RecordedEvent)
        for event in log:
            a_whole_number("RecordedEvent(position)", event.position)
            checked_stream_id(event.stream_id, "each RecordedEvent needs the id of its stream")
        log.sort(key=lambda r: r.position)
        for n, event in enumerate(log, 1):
            stream = streams.setdefault(event.stream_id, [])
            stream.append(event)
            if (event.position, event.stream_version) != (n, len(stream)):
                raise InvalidValue(
                    f"event {event.event_id} of {event.stream_id} is at position {event.position}, version "
                    f"{event.stream_version}; expected {n} and {len(stream)}: "
                    "the history has a gap or an event twice"
                )
        latest_first = PersistentMap({name: List(events[::-1]) for name, events in streams.items()})
        return remade(cls(clock=clock, ids=ids), _log=_Log(log), _streams=latest_first)

    @classmethod
    def from_streams(
        cls,
        streams: Mapping[str, Iterable[Any]],
        *,
        clock: Clock | Callable[[], datetime] = system_clock,
        ids: Ids | Callable[[], str] = RandomIds(),
    ) -> InMemoryEventStore:
        """A store with each of the streams: recorded events as they are, else bare ones appended in turn."""
        given = a_mapping("event_store", streams, "{'BankAccount-1': [event]}")
        found = {stream_id: listed(events) for stream_id, events in given.items()}
        every = [event for events in found.values() for event in events]
        if every and all([is_a(event, RecordedEvent) for event in every]):
            return cls.of(every, clock=clock, ids=ids)
        store = cls(clock=clock, ids=ids)
        for stream_id, events in found.items():
            store = store.append(stream_id, events)
        return store

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> InMemoryEventStore:
        """The store with the events at the end of the stream; subscribers are called afterwards."""
        store, proposals = self, listed(events)
        stream_id = checked_stream_id(stream_id, "append needs the id of one stream")
        if not all([is_a(event, ProposedEvent) for event in proposals]):
            proposals, clock, ids = dressed(proposals, self.clock, self.ids)
            store = remade(self, clock=clock, ids=ids)
        return store.record(stream_id, proposals, expected_version)[1]

    def record(
        self, stream_id: str, proposals: Sequence[ProposedEvent], expected_version: Expected
    ) -> tuple[tuple[RecordedEvent, ...], InMemoryEventStore]:
        """What an append of events with all that is known of them records, and the store after it."""
        stream = self._streams.get(stream_id, _NO_STREAM)
        version = len(stream)
        proposals = checked_proposals(proposals)
        if type(expected_version) is not int or expected_version != version or version == 0:
            check_expected(stream_id, expected_version, version)
        if not proposals:
            return (), self
        log, recorded = self._log, []
        position = len(log)
        for proposal in proposals:
            version, position = version + 1, position + 1
            entry = proposal.recorded(stream_id, version, position)
            log, stream = log.append(entry), stream.push_front(entry)
            recorded.append(entry)
        store = remade(self, _log=log, _streams=self._streams.insert(stream_id, stream))
        if len(self._subscribers):
            wanted = (stream_id, Category.of(stream_id), ALL)
            notify([each for of in wanted for each in self._subscribers.get(of, ())], recorded)
        return tuple(recorded), store

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterator[RecordedEvent]:
        """The events whose version (with ALL: position) is at least ``start_version``, in that direction."""
        skip = max(checked_start(start_version, direction) - 1, 0)
        if stream_id is ALL:
            return self._log.iterate(skip) if direction is FORWARDS else self._log.backwards(skip)
        stream_id = checked_stream_id(stream_id, "stream needs the id of a stream, or ALL")
        events = self._streams.get(stream_id, _NO_STREAM)
        latest = islice(events, max(len(events) - skip, 0))
        return latest if direction is BACKWARDS else reversed(list(latest))

    def subscribe(
        self, stream_id: StreamId | Category, subscriber: Subscriber, *, name: str | None = None
    ) -> InMemoryEventStore:
        """The store that calls the subscriber with every event appended from now on.

        A ``name`` is an error: a value keeps no checkpoint, because it ends with the program.
        """
        stream_id = checked_subscription(stream_id, subscriber)
        refuse_name(name, "an InMemoryEventStore is a value that ends with the program")
        known = self._subscribers.get(stream_id, ())
        return remade(self, _subscribers=self._subscribers.insert(stream_id, (*known, subscriber)))

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        if stream_id is ALL:
            return len(self._log)
        return len(
            self._streams.get(
                checked_stream_id(stream_id, "version needs the id of a stream, or ALL"), _NO_STREAM
            )
        )

    def last(self, stream_id: str) -> RecordedEvent | None:
        """The latest event of a stream; None where there is none."""
        stream = self._streams.get(checked_stream_id(stream_id, "last needs the id of a stream"))
        return None if stream is None else stream.first

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The streams there are, by name."""
        return tuple(self._streams)

    def __len__(self) -> int:
        return len(self._log)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return iter(self._log)

    def __eq__(self, other: object) -> bool:
        return type(other) is InMemoryEventStore and self._log == other._log

    def __hash__(self) -> int:
        return hash(len(self._log))

    def __repr__(self) -> str:
        return f"InMemoryEventStore(events={len(self._log):,}, streams={len(self._streams):,})"

    def __reduce__(self) -> Any:
        return _restored, (list(self._log), dict(self._subscribers), self.clock, self.ids)


def _restored(log: list[RecordedEvent], subscribers: dict[Any, Any], clock: Any, ids: Any) -> Any:
    """The store that was pickled or copied."""
    return remade(InMemoryEventStore.of(log, clock=clock, ids=ids), _subscribers=HashTrieMap(subscribers))


class NotCopied:
    """A base for stores that hold connections or threads, which no copy and no other process can have."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise InvalidValue(
            f"{self!r} cannot be pickled or copied, because it holds connections or threads. A stack on it "
            "cannot either. In the other process, open the store again, as in SQLEventStore(url, types), and "
            "make a new Stack(event_store=store); recover(stack, aggregate_types) rebuilds the states"
        )


class Closable:
    """A base for what holds connections or threads: a ``with`` block closes it at its end."""

    __slots__ = ()

    def close(self) -> None:
        """End the connections and threads."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def listed(events: Iterable[Any]) -> list[Any]:
    """The events that an append was given, as a list."""
    if is_a(events, ProposedEvent):
        raise wrong("append(events)", events, "a list, as in append(stream_id, [event])")
    return a_list("append(events)", events, "append(stream_id, [event])")


def checked_proposals(given: Any) -> list[ProposedEvent]:
    """The events of a `record`, after a check that they are what a store records."""
    if type(given) is list and all([type(each) is ProposedEvent for each in given]):
        return given
    return a_list("record(proposals)", given, "[ProposedEvent(...)]", of=ProposedEvent)


def dressed(events: list[Any], clock: Any, ids: Any) -> tuple[list[ProposedEvent], Any, Any]:
    """Bare events with ids and a time from these sources, and the sources as they go on from there.

    The id of the first event is the correlation id of all: it is the root of what follows.
    """
    now, clock = read(clock)
    fresh, ids = draw(ids, len(events))
    bare = [
        ProposedEvent(event, id_, fresh[0], None, now, NO_METADATA)
        for event, id_ in zip(events, fresh, strict=True)
    ]
    return list(map(_with_what_is_known, events, bare)), clock, ids


def _with_what_is_known(event: Any, bare: ProposedEvent) -> ProposedEvent:
    """The event with what is known of it, where anything is; else ``bare``."""
    if isinstance(event, ProposedEvent):
        return event
    return proposed_again(event) if is_a(event, RecordedEvent) else bare


def proposed_again(recorded: RecordedEvent) -> ProposedEvent:
    """An event that was recorded elsewhere, with all but its stream, version and position."""
    return ProposedEvent(*[getattr(recorded, name) for name in ProposedEvent._fields])


def checked_stream_id(given: Any, asked: str) -> str:
    """The id of a stream that is named by its id or by an `Identity`; ``asked`` says what needs it."""
    kind = type(given)
    if kind is not str:
        if issubclass(kind, Identity):
            return str(given.stream_id)
        if not issubclass(kind, str):
            raise InvalidValue(f"{asked}, as in 'BankAccount-1'; found {repr_of(given)}")
        given = str.__str__(given)
    if not given:
        raise InvalidValue(f"{asked}, as in 'BankAccount-1'; found an empty text")
    return str(given)


def checked_start(start_version: Any, direction: Any, name: str = "start_version") -> int:
    """The version from which a stream is read, after a check of it and of the direction."""
    if direction is not FORWARDS and direction is not BACKWARDS:
        raise wrong("stream(direction)", direction, "FORWARDS or BACKWARDS")
    if type(start_version) is int:
        return start_version
    return a_whole_number(f"stream({name})", start_version, low=None)


def checked_subscription(
    stream_id: StreamId | Category, subscriber: Subscriber, method: str = "subscribe"
) -> StreamId | Category:
    """What is subscribed to, after a check of both arguments of a method."""
    a_function(f"{method}(subscriber)", subscriber, "lambda recorded: print(recorded.event)")
    if stream_id is ALL or is_a(stream_id, Category):
        return stream_id
    return checked_stream_id(stream_id, f"{method} needs the id of a stream, a Category or ALL")


def refuse_name(name: str | None, why: str) -> None:
    """Raise for a named subscription to a store that keeps no checkpoints."""
    if name is not None:
        raise InvalidValue(
            f"subscribe(name={repr_of(name)}): {why}, so no checkpoint is kept; leave out the name, "
            "or use SQLEventStore"
        )


def check_expected(stream_id: str, expected: Expected, actual: int) -> None:
    """Raise `WrongExpectedVersion` where a stream is not at the version expected."""
    if expected is ANY:
        return
    if expected is NO_STREAM:
        fits = actual == 0
    elif expected is STREAM_EXISTS:
        fits = actual > 0
    else:
        fits = actual == checked_version(expected)
    if not fits:
        raise WrongExpectedVersion(stream_id, expected, actual)


def checked_version(expected: Any) -> int:
    """The version that an append expects, where it expects a number."""
    try:
        return a_whole_number("expected_version", expected)
    except InvalidValue:
        works = "ANY, NO_STREAM, STREAM_EXISTS or a version from 0 on"
        raise wrong("expected_version", expected, works) from None


def notify(subscribers: Iterable[Subscriber], recorded: Iterable[RecordedEvent]) -> None:
    """Call each subscriber with each event, in order; one that subscribed twice is called once.

    Raises `ModelError` if a subscriber raises.
    """
    distinct: list[Subscriber] = []
    for subscriber in subscribers:
        if subscriber not in distinct:
            distinct.append(subscriber)
    for event in recorded:
        for subscriber in distinct:
            try:
                subscriber(event)
            except Exception as error:
                raise raised(subscriber, event, error) from error


def raised(subscriber: Subscriber, event: RecordedEvent, error: BaseException) -> ModelError:
    """The error that names the subscriber that raised, and the event."""
    name = getattr(subscriber, "__qualname__", None) or repr_of(subscriber)
    return ModelError(f"subscriber {name}", f"raised {words_of(error)} for {repr_of(event.event)}")
