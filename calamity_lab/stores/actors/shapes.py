"""The shapes in which a stack's aggregates and process manager instances live in actors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.stores.actors.aggregate_store import ActorAggregateStore, ActorVersionStore
from calamity_lab.stores.actors.aggregates import Aggregates
from calamity_lab.stores.actors.held_aggregates import HeldAggregates
from calamity_lab.stores.actors.held_event_store import HeldEventStore
from calamity_lab.stores.actors.held_instances import HeldInstances
from calamity_lab.stores.actors.instances import Instances
from calamity_lab.stores.actors.process_manager_store import ActorInstanceVersions, ActorProcessManagerStore
from calamity_lab.stores.actors.references import Actors, References


def one_for_all(stack: Stack, actors: Actors) -> Stack:
    """The stack with all aggregates in one actor, and all process manager instances in another."""
    return _delegating(stack, actors, lambda _: "aggregates", lambda _: "process managers")


def one_for_each(stack: Stack, actors: Actors) -> Stack:
    """The stack with an actor for each aggregate and each process manager instance.

    Its stores are maps of references, and delegate. Each actor is started when it is first needed; that of
    an instance ends with it.
    """
    return _delegating(stack, actors, _itself, _itself)


def whereabouts(stack: Stack) -> dict[str, str]:
    """Where each aggregate and each process manager instance lives now, by stream id.

    On a cluster that is the address of a worker; in a process all are at home.
    """
    found: dict[str, str] = {}
    for store in (stack.aggregates, stack.process_managers):
        if not isinstance(store, (ActorAggregateStore, ActorProcessManagerStore)):
            raise InvalidValue(
                f"whereabouts needs a stack whose stores are actors, as one_for_each() gives; found {store!r}"
            )
        places = ((stream_id, store.shared.references.place_of(stream_id)) for stream_id in store)
        found |= {stream_id: place for stream_id, place in places if place is not None}
    return found


def _itself(stream_id: str) -> str:
    return stream_id


def _delegating(
    stack: Stack, actors: Actors, aggregates_at: Callable[[str], str], instances_at: Callable[[str], str]
) -> Stack:
    event_store = stack.event_store
    if isinstance(event_store, InMemoryEventStore):
        event_store = HeldEventStore(event_store)
    aggregates = Aggregates(References(actors, HeldAggregates, aggregates_at), event_store)
    marks = dict(zip([cls.__name__ for cls in stack.process_manager_types], stack.handed, strict=True))
    versions = stack.process_manager_versions
    instances = Instances(
        References(actors, HeldInstances, instances_at),
        event_store,
        versions if isinstance(versions, Mapping) else {},
        marks,
    )
    _put_aggregates(stack, aggregates)
    _put_instances(stack, instances, marks)
    return changed(
        stack,
        aggregates=ActorAggregateStore(aggregates),
        aggregate_versions=ActorVersionStore(aggregates),
        process_managers=ActorProcessManagerStore(instances),
        process_manager_versions=ActorInstanceVersions(instances),
        event_store=event_store,
    )


def _put_aggregates(stack: Stack, aggregates: Aggregates) -> None:
    """What the stack holds already goes into actors; what it does not know is told by its stream later."""
    for stream_id, state in _held(stack.aggregates):
        version = stack.aggregate_versions.get(stream_id, 0)
        aggregates.put(_identity(stream_id, state), state, version)


def _put_instances(stack: Stack, instances: Instances, marks: Mapping[str, int]) -> None:
    for stream_id, state in _held(stack.process_managers):
        instances.put(_identity(stream_id, state), state, marks.get(type(state).__name__, 0))


def _held(store: Any) -> list[tuple[str, Any]]:
    return list(store.items()) if isinstance(store, Mapping) else []


def _identity(stream_id: str, state: Any) -> Identity:
    return Identity(type(state), Identity.parse(stream_id).id)
