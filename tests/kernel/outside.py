"""Stores that live outside the value, as an actor's would: each change is there at once, for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.in_memory_stores import InMemoryAggregateStore
from calamity_lab.kernel.protocols import ANY, FORWARDS, Direction, Expected, StreamId, Subscriber
from calamity_lab.kernel.recorded import RecordedEvent


class OutsideAggregates:
    """Aggregates in a dict of its own; all it has is what the protocol asks for."""

    def __init__(self) -> None:
        self.held = InMemoryAggregateStore()

    def dispatch(self, command: Any) -> tuple[Any, OutsideAggregates]:
        events, self.held = self.held.dispatch(command)
        return list(events), self

    def apply(self, identity: Identity, events: Iterable[Any]) -> OutsideAggregates:
        self.held = self.held.apply(identity, events)
        return self

    def forget(self, identity: Identity) -> OutsideAggregates:
        self.held = self.held.forget(identity)
        return self

    def get(self, key: Any, default: Any = None) -> Any:
        return self.held.get(key, default)


class OutsideEvents:
    """An event store that changes in place; ``meanwhile`` is what another writer does before an append."""

    def __init__(self, meanwhile: Callable[[OutsideEvents], None] | None = None) -> None:
        self.held = InMemoryEventStore()
        self.meanwhile = meanwhile

    def append(
        self, stream_id: str, events: Iterable[Any], *, expected_version: Expected = ANY
    ) -> OutsideEvents:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile(self)
        self.held = self.held.append(stream_id, events, expected_version=expected_version)
        return self

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterator[RecordedEvent]:
        return self.held.stream(stream_id, start_version=start_version, direction=direction)

    def subscribe(self, stream_id: StreamId, subscriber: Subscriber) -> OutsideEvents:
        self.held = self.held.subscribe(stream_id, subscriber)
        return self
