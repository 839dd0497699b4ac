"""Put a stack's aggregates and process managers into actors: all into one actor, or each into its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import RLock
from typing import Any

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.arguments import an_instance, has, wrong
from calamity_lab.kernel.event_store import InMemoryEventStore, NotCopied
from calamity_lab.kernel.folding import identity_in
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.protocols import ANY, FORWARDS, Category, Direction, Expected, StreamId, Subscriber
from calamity_lab.kernel.recorded import KeptRejection, RecordedEvent
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.stores.actors.aggregates import (
    ActorAggregateStore,
    ActorVersionStore,
    AggregatesInActor,
    SharedAggregates,
)
from calamity_lab.stores.actors.process_managers import (
    ActorInstanceVersions,
    ActorProcessManagerStore,
    InstancesInActor,
    SharedInstances,
)
from calamity_lab.stores.actors.protocol import Actors, References


def one_for_all(stack: Stack, actors: Actors) -> Stack:
    """The stack with all aggregates in one actor, and all process manager instances in another."""
    return _in_actors(stack, actors, lambda _: "aggregates", lambda _: "process managers")


def one_for_each(stack: Stack, actors: Actors) -> Stack:
    """The stack with an actor for each aggregate and each process manager instance.

    Each actor starts when it is first needed. The actor of a process manager instance ends with the instance.
    """
    return _in_actors(stack, actors, _same_name, _same_name)


def whereabouts(stack: Stack) -> dict[str, str]:
    """Where each aggregate and each process manager instance lives now, by stream id.

    On a cluster that is the address of a worker; with threads it is always this process.
    """
    found: dict[str, str] = {}
    an_instance("whereabouts(stack)", stack, Stack, "one_for_each(stack, actors)")
    for store in (stack.aggregates, stack.process_managers):
        if not isinstance(store, (ActorAggregateStore, ActorProcessManagerStore)):
            raise InvalidValue(
                f"whereabouts needs a stack with its state in actors, but found {repr_of(store)}. Make one "
                "with one_for_each(stack, actors)"
            )
        places = ((stream_id, store.shared.references.location_of(stream_id)) for stream_id in store)
        found |= {stream_id: place for stream_id, place in places if place is not None}
    return found


def _same_name(stream_id: str) -> str:
    return stream_id


def _in_actors(
    stack: Stack,
    actors: Actors,
    name_for_aggregate: Callable[[str], str],
    name_for_instance: Callable[[str], str],
) -> Stack:
    an_instance("one_for_each(stack)", stack, Stack, "one_for_each(stack, actors)")
    if not has(actors, "start", "ask", "tell", "stop"):
        raise wrong("one_for_each(actors)", actors, "actors, as in ThreadActors()")
    event_store = stack.event_store
    if isinstance(event_store, InMemoryEventStore):
        event_store = HeldEventStore(event_store)
    aggregates = SharedAggregates(References(actors, AggregatesInActor, name_for_aggregate), event_store)
    marks = dict(zip(map(stored_name, stack.process_manager_types), stack.delivered_upto, strict=True))
    versions = stack.process_manager_versions
    instances = SharedInstances(
        References(actors, InstancesInActor, name_for_instance),
        event_store,
        versions if isinstance(versions, Mapping) else {},
        marks,
    )
    managers = ActorProcessManagerStore(instances)
    _put_aggregates(stack, aggregates)
    _put_instances(stack, instances, marks)
    return changed(
        stack,
        aggregates=ActorAggregateStore(aggregates),
        aggregate_versions=ActorVersionStore(aggregates),
        process_managers=managers,
        process_manager_versions=ActorInstanceVersions(instances),
        event_store=event_store,
    )


def _put_aggregates(stack: Stack, aggregates: SharedAggregates) -> None:
    """Give the aggregates that the stack has to actors. All others come from their streams later."""
    for stream_id, state in _states_in(stack.aggregates):
        version = stack.aggregate_versions.get(stream_id, 0)
        aggregates.put(_identity(stream_id, state), state, version)


def _put_instances(stack: Stack, instances: SharedInstances, marks: Mapping[str, int]) -> None:
    rejections = _rejections(stack)
    for stream_id, state in _states_in(stack.process_managers):
        mark = marks.get(stored_name(type(state)), 0)
        instances.put(_identity(stream_id, state), state, mark, rejections.get(stream_id, ()))


def _rejections(stack: Stack) -> Mapping[str, Sequence[KeptRejection]]:
    """The rejections that running instances of a stack have taken in, by stream id."""
    if not outbox.is_durable(stack.event_store):
        return stack.rejections
    found: dict[str, list[KeptRejection]] = {}
    for cls in stack.process_manager_types if has(stack.event_store, "rejections") else ():
        if not ask.takes_rejections(cls):
            continue
        number = outbox.known_rejections(stack, stored_name(cls)).number
        find = outbox.classes_near(stack.process_manager_types)
        for each in stack.event_store.rejections(find, stored_name(cls)).kept:
            if each.number <= number:
                found.setdefault(each.stream_id, []).append(each)
    return found


def _states_in(store: Any) -> list[tuple[str, Any]]:
    return list(store.items()) if isinstance(store, Mapping) else []


def _identity(stream_id: str, state: Any) -> Identity:
    return identity_in(type(state), stream_id)


class HeldEventStore(NotCopied):
    """An event store that changes in place, around an event store that is a value, as the in-memory one is.

    Several callers use the same actors, so they must use the same event store. Of a value, each caller would
    go on with a copy. Wrap every event store that is a value in this one; a store that keeps its events
    outside, such as `SQLEventStore`, needs no wrapper.
    """

    def __init__(self, store: Any = None) -> None:
        if store is not None and not has(store, "append", "stream", "version"):
            raise wrong("HeldEventStore(store)", store, "an event store, as in InMemoryEventStore()")
        self._store = InMemoryEventStore() if store is None else store
        self._lock = RLock()

    @property
    def value(self) -> Any:
        """The event store that is a value, as it is now."""
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
        """The events so far, from that version (with ALL: position) on, in that direction."""
        events: Iterable[RecordedEvent] = self._store.stream(
            stream_id, start_version=start_version, direction=direction
        )
        return iter(events)

    def subscribe(
        self, stream_id: StreamId | Category, subscriber: Subscriber, *, name: str | None = None
    ) -> HeldEventStore:
        """Call the subscriber with every event that is appended from now on; a value takes no ``name``."""
        with self._lock:
            self._store = self._store.subscribe(stream_id, subscriber, name=name)
        return self

    def version(self, stream_id: StreamId) -> int:
        """The version of the last event of a stream (with ALL: its position); 0 where there is none."""
        return int(self._store.version(stream_id))

    @property
    def stream_ids(self) -> tuple[str, ...]:
        """The names of all streams."""
        return tuple(self._store.stream_ids)

    def __len__(self) -> int:
        return len(self._store)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return iter(self._store)

    def __repr__(self) -> str:
        return f"HeldEventStore({repr_of(self._store)})"
