"""What an event store tells of a stack that is gone: its states, and the commands that are still owed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.agenda import Agenda
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.owed import Owed
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.rebuilding import Aggregates, Instances, event_at
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.snapshots import Snapshot, SnapshotStore
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.stores import (
    InMemoryAggregateStore,
    InMemoryProcessManagerStore,
    InMemoryVersionStore,
)

S = TypeVar("S", bound=SnapshotStore)


def rebuild(
    stack: Stack, aggregate_types: Iterable[type] = (), *, snapshots: SnapshotStore | None = None
) -> Stack:
    """The stack with the states that its event store tells: aggregates of these types, and all instances.

    Other aggregates are caught up when a command first needs them. What the stack's in-memory stores held is
    replaced; stores that live elsewhere look after themselves.
    """
    aggregates = Aggregates(stack.event_store, aggregate_types, snapshots)
    if snapshots is not None and not stack.process_manager_types and hasattr(stack.event_store, "stream_ids"):
        for stream_id in stack.event_store.stream_ids:
            aggregates.take_stream(stream_id)
        return _with_aggregates(stack, aggregates)
    instances = Instances(stack.event_store, stack.process_manager_types, snapshots)
    return _told(stack, aggregates, instances, None)


def recover(
    stack: Stack, aggregate_types: Iterable[type] = (), *, snapshots: SnapshotStore | None = None
) -> Run:
    """The run to go on with after a crash: the stack rebuilt, and the owed commands on its agenda.

    Owed is what a process manager sent and nobody carried out: no event has its id as causation id. A command
    that was refused, or led to no event, left no trace; it is asked again what it came to at the time, and
    is owed only if that was something. Snapshots spare the aggregates their events, but not the process
    managers: what an instance sent may be owed by a process that died, whoever took its snapshot.
    """
    instances = Instances(stack.event_store, stack.process_manager_types)
    owed = Owed(stack.event_store, instances)
    rebuilt = _told(stack, Aggregates(stack.event_store, aggregate_types, snapshots), instances, owed)
    return Run(rebuilt, Agenda(owed.commands()))


def _told(stack: Stack, aggregates: Aggregates, instances: Instances, owed: Owed | None) -> Stack:
    """The stack as its whole history tells it, read once."""
    head = 0
    for recorded in _history(stack.event_store, instances):
        head = recorded.position
        if owed is not None:
            owed.turn(recorded)
        aggregates.take(recorded)
        for identity, commands in instances.take(recorded):
            if owed is not None:
                owed.send(recorded, identity, commands)
    return _with_instances(_with_aggregates(stack, aggregates), instances, head)


def _history(event_store: Any, instances: Instances) -> Iterator[RecordedEvent]:
    """All events, and those recorded meanwhile, where the snapshot of an instance has seen them."""
    head, furthest = 0, 1
    while head < furthest:
        for recorded in event_store.stream(ALL, start_version=head + 1):
            head = recorded.position
            yield recorded
        furthest = instances.furthest


def take_snapshots(run: Run, snapshots: S) -> S:
    """The snapshot store with the state of every aggregate and instance of a run at rest.

    Raises `InvalidValue` while commands are pending.
    """
    if not run.idle:
        raise InvalidValue(
            f"a snapshot needs a run at rest, and here {len(run.agenda)} commands are pending"
            f"{'' if run.progress is None else ' and one is in progress'}; carry them out first"
        )
    stack = run.stack
    for stream_id, state in stack.aggregates.items():
        version = stack.aggregate_versions.get(stream_id, 0)
        last: RecordedEvent | None = next(
            iter(stack.event_store.stream(stream_id, start_version=version)), None
        )
        if version and last is not None and last.stream_version == version:
            snapshots = _put(snapshots, Snapshot(stream_id, version, last.position, last.event_id, state))
    marks = dict(zip([cls.__name__ for cls in stack.process_manager_types], stack.handed, strict=True))
    for stream_id, state in stack.process_managers.items():
        mark = event_at(stack.event_store, marks[type(state).__name__])
        if mark is not None:
            version = stack.process_manager_versions.get(stream_id, 0)
            snapshots = _put(snapshots, Snapshot(stream_id, version, mark.position, mark.event_id, state))
    return snapshots


def _put(snapshots: Any, snapshot: Snapshot) -> Any:
    return snapshots.put(snapshot)


def _with_aggregates(stack: Stack, aggregates: Aggregates) -> Stack:
    if not isinstance(stack.aggregates, InMemoryAggregateStore):
        return stack
    return changed(
        stack,
        aggregates=InMemoryAggregateStore(aggregates.states),
        aggregate_versions=InMemoryVersionStore(aggregates.versions),
    )


def _with_instances(stack: Stack, instances: Instances, head: int) -> Stack:
    if not isinstance(stack.process_managers, InMemoryProcessManagerStore):
        return stack
    return changed(
        stack,
        process_managers=InMemoryProcessManagerStore(instances.states),
        process_manager_versions=InMemoryVersionStore(instances.versions),
        handed=(head,) * len(stack.process_manager_types),
    )
