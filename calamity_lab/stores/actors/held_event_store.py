"""An event store that is a value, held where all callers find it as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import RLock
from typing import Any

from calamity_lab.kernel.constants import ANY, FORWARDS, Direction, Expected, StreamId
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import RecordedEvent


class HeldEventStore:
    """An event store that changes in place, over one that is a value, as the in-memory one is.

    Actors are there for several callers, who must meet at one event store; of a value each would go on with
    one of its own. Wrap any other event store that is a value in this; those that keep their events elsewhere
    need none.
    """

    def __init__(self, store: Any = None) -> None:
        self._store = InMemoryEventStore() if store is None else store
        self._lock = RLock()

    @property
    def value(self) -> Any:
        """The event store as it is now."""
        return self._store

    def append(
        self, stream_id: str, events: Iterable[Any], *, expected_version: Expected = ANY
    ) -> HeldEventStore:
        """Record events at the end of a stream, all or none."""
        with self._lock:
            self._store = self._store.append(stream_id, events, expected_version=expected_version)
        return self

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterator[RecordedEvent]:
        """The events that there are now, from that version (with ALL: position) on, in that direction."""
        events: Iterable[RecordedEvent] = self._store.stream(
            stream_id, start_version=start_version, direction=direction
        )
        return iter(events)

    def subscribe(self, stream_id: StreamId, subscriber: Subscriber) -> HeldEventStore:
        """Call the subscriber with every event that is appended from now on."""
        with self._lock:
            self._store = self._store.subscribe(stream_id, subscriber)
        return self

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        return int(self._store.version(stream_id))

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The streams there are, by name."""
        return tuple(self._store.stream_ids)

    def __len__(self) -> int:
        return len(self._store)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return iter(self._store)

    def __repr__(self) -> str:
        return f"HeldEventStore({self._store!r})"
