"""Rebuild a stack from its event store: its states, and the commands that are still outstanding."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import inf
from typing import Any, TypeVar

from calamity_lab.errors import InvalidModel, InvalidValue, ModelError, SerializationError, UnknownName
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.agenda import Agenda, Failure, Pending
from calamity_lab.kernel.arguments import an_instance, classes, has, wrong
from calamity_lab.kernel.deadlines import Deadlines
from calamity_lab.kernel.folding import begun, fold, identity_in, taken_in
from calamity_lab.kernel.identity import Identity, by_name, identify, stored_name
from calamity_lab.kernel.in_memory_stores import (
    InMemoryAggregateStore,
    InMemoryProcessManagerStore,
    InMemoryVersionStore,
    Snapshot,
    SnapshotStore,
)
from calamity_lab.kernel.messages import Interest, Start
from calamity_lab.kernel.persistent import PersistentMap
from calamity_lab.kernel.progress import Run, check_run
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import KeptRejection, RecordedEvent
from calamity_lab.kernel.stack import Stack, changed, register_streams

_log = logging.getLogger("calamity_lab")

S = TypeVar("S", bound=SnapshotStore)


def rebuild(
    stack: Stack, aggregate_types: Iterable[type] = (), *, snapshots: SnapshotStore | None = None
) -> Stack:
    """The stack with its states folded from the event store: aggregates of these types, and all instances.

    Other aggregates are caught up when a command first needs them. The contents of the stack's in-memory
    stores are replaced; stores that live elsewhere stay as they are.

    Streams of aggregates that have no known class are named in the log. Raises `InvalidModel` where moreover
    a given type has no stream: it was renamed, and needs its earlier name as ``stored_name``.
    """
    aggregate_types = _checked("rebuild", stack, aggregate_types, snapshots)
    aggregates = Aggregates(stack.event_store, aggregate_types, snapshots)
    if snapshots is not None and not stack.process_manager_types and hasattr(stack.event_store, "stream_ids"):
        for stream_id in stack.event_store.stream_ids:
            aggregates.take_stream(stream_id)
        aggregates.check_names()
        return with_aggregates(stack, aggregates)
    stack, unmarked = _with_deliveries(stack)
    types = [stack.process_manager_types[index] for index in unmarked]
    instances, head = Instances(stack.event_store, types, snapshots, stack.rejections), 0
    for recorded in _history(stack.event_store, instances):
        head = recorded.position
        aggregates.take(recorded)
        instances.take(recorded)
    instances.take_rejections()
    aggregates.check_names()
    return with_instances(with_aggregates(stack, aggregates), instances, head, unmarked)


def _with_deliveries(stack: Stack) -> tuple[Stack, list[int]]:
    """The stack with the instances of which its store knows what they were handed; and the other types."""
    indices = list(range(len(stack.process_manager_types)))
    if not isinstance(stack.process_managers, InMemoryProcessManagerStore):
        return stack, indices
    stack = changed(
        stack,
        process_managers=InMemoryProcessManagerStore(),
        process_manager_versions=InMemoryVersionStore(),
        delivered_upto=(0,) * len(indices),
        known_rejections=PersistentMap(),
    )
    return outbox.with_instances(stack) if outbox.is_durable(stack.event_store) else (stack, indices)


def recover(
    stack: Stack, aggregate_types: Iterable[type] = (), *, snapshots: SnapshotStore | None = None
) -> Run:
    """The run to continue with after a crash or a release, with the outstanding commands on its agenda.

    Over a store that keeps marks and an outbox (see `calamity_lab.kernel.outbox`), nothing is derived from
    the rules of today: the events that nobody handed on are handed on now, once, and what was settled stays
    settled. Where a process manager raises, it is set aside in ``run.failed``, and the others go on.
    Deadlines are set again, with those in front that came due meanwhile: `calamity_lab.due`
    carries these out.

    ``aggregate_types`` are the aggregates whose states are wanted at once, which reads the history, or the
    events since their ``snapshots``; others are caught up when a command first needs them. Raises
    `UnknownName` where no class has a name that the store has kept.

    A store that keeps events only gives the rebuilt stack, and a warning: what was sent before is not known.
    """
    types = _checked("recover", stack, aggregate_types, snapshots)
    store = stack.event_store
    if not outbox.is_durable(store):
        outbox.warn_of_events_only(store)
        return Run(rebuild(stack, types, snapshots=snapshots))
    outbox.check_names(stack)
    stack = _with_aggregate_states(stack, types, snapshots)
    stack, _ = _with_deliveries(stack)
    return taken_up(stack, types)


def taken_up(stack: Stack, aggregate_types: Iterable[type] = ()) -> Run:
    """The run with what the event store says is to be done: the events that nobody handed on are handed on.

    The outstanding commands are on the agenda, the deadlines are set, and `outbox.check_names` has the names
    checked before.
    """
    stack = outbox.prepared(stack)
    _, head = stack.event_store.marks()
    failed = []
    for index in range(len(stack.process_manager_types)):
        try:
            caught_up = outbox.catch_up(stack, index, head)
            stack, failure = caught_up.stack, caught_up.failure
        except ModelError as error:
            failure = Failure(None, error, stored_name(stack.process_manager_types[index]), head)
        if failure is not None:
            failed.append(failure)
    stack, commands = _with_outstanding(stack, aggregate_types)
    return Run(stack, Agenda(commands, failed))


def with_deadlines(stack: Stack, aggregate_types: Iterable[type] = ()) -> Stack:
    """The stack with the deadlines of its event store; commands that are outstanding stay there.

    A warning says where they cannot be read, because a class is missing or a row is damaged.
    """
    try:
        return _with_outstanding(stack, aggregate_types)[0]
    except (UnknownName, SerializationError) as error:
        _log.warning("the deadlines of %r are left out: %s", stack.event_store, error)
        return stack


def _with_outstanding(stack: Stack, aggregate_types: Iterable[type]) -> tuple[Stack, list[Pending]]:
    """The stack with the deadlines of its event store, and the other commands that are outstanding there."""
    find = outbox.classes_near([*stack.process_manager_types, *aggregate_types])
    names = [stored_name(cls) for cls in stack.process_manager_types]
    outstanding = outbox.with_senders(stack, stack.event_store.outstanding(find, names))
    deadlines = Deadlines([each for each in outstanding if each.due_at is not None])
    return changed(stack, deadlines=deadlines), [each for each in outstanding if each.due_at is None]


def _with_aggregate_states(stack: Stack, types: list[type], snapshots: SnapshotStore | None) -> Stack:
    """The stack with the states of these aggregates only."""
    if not types:
        return with_aggregates(stack, Aggregates(stack.event_store, ()))
    rebuilt = rebuild(changed(stack, process_manager_types=()), types, snapshots=snapshots)
    return changed(stack, aggregates=rebuilt.aggregates, aggregate_versions=rebuilt.aggregate_versions)


def _checked(call: str, stack: Any, types: Any, snapshots: Any) -> list[type]:
    """The aggregate types, after a check of all that `rebuild` and `recover` are given."""
    an_instance(f"{call}(stack)", stack, Stack, "Stack(event_store=store)")
    if snapshots is not None and not has(snapshots, "get", "put"):
        raise wrong(f"{call}(snapshots)", snapshots, "a snapshot store, as in InMemorySnapshotStore()")
    return classes(f"{call}(aggregate_types)", types, "[BankAccount]")


def _history(event_store: Any, instances: Instances) -> Iterator[RecordedEvent]:
    """All events; also those recorded meanwhile, as far as a snapshot of an instance includes them."""
    head, furthest = 0, 1
    while head < furthest:
        for recorded in event_store.stream(ALL, start_version=head + 1):
            head = recorded.position
            yield recorded
        furthest = instances.furthest


def take_snapshots(run: Run, snapshots: S) -> S:
    """The snapshot store with the state of every aggregate and instance of an idle run.

    Raises `InvalidValue` while commands are pending.
    """
    check_run("take_snapshots(run)", run)
    if not has(snapshots, "get", "put"):
        raise wrong("take_snapshots(snapshots)", snapshots, "a snapshot store, as in InMemorySnapshotStore()")
    if not run.idle:
        raise InvalidValue(
            f"Snapshots can be taken of an idle run only; pending commands: {len(run.agenda)}"
            f"{'' if run.progress is None else ', and one is in progress'}. Advance the run until it is idle"
        )
    stack = run.stack
    for stream_id, state in stack.aggregates.items():
        version = stack.aggregate_versions.get(stream_id, 0)
        last: RecordedEvent | None = next(
            iter(stack.event_store.stream(stream_id, start_version=version)), None
        )
        if version and last is not None and last.stream_version == version:
            snapshots = _put(snapshots, Snapshot(stream_id, version, last.position, last.event_id, state))
    marks = dict(zip(map(stored_name, stack.process_manager_types), stack.delivered_upto, strict=True))
    for stream_id, state in stack.process_managers.items():
        mark = event_at(stack.event_store, marks[stored_name(type(state))])
        if mark is not None:
            version = stack.process_manager_versions.get(stream_id, 0)
            snapshots = _put(snapshots, Snapshot(stream_id, version, mark.position, mark.event_id, state))
    return snapshots


def _put(snapshots: Any, snapshot: Snapshot) -> Any:
    return snapshots.put(snapshot)


def with_aggregates(stack: Stack, aggregates: Aggregates) -> Stack:
    """The stack with these states and versions, if it keeps its aggregates itself."""
    if not isinstance(stack.aggregates, InMemoryAggregateStore):
        return stack
    return changed(
        stack,
        aggregates=InMemoryAggregateStore(aggregates.states),
        aggregate_versions=InMemoryVersionStore(aggregates.versions),
    )


def with_instances(stack: Stack, instances: Instances, head: int, indices: Iterable[int]) -> Stack:
    """The stack with further instances, and with the types at these indices at the end of the history."""
    managers, versions = stack.process_managers, stack.process_manager_versions
    if not isinstance(managers, InMemoryProcessManagerStore):
        return stack
    for stream_id, state in instances.states.items():
        managers = managers.insert(stream_id, state)
    for stream_id, version in instances.versions.items():
        versions = versions.insert(stream_id, version)
    delivered = list(stack.delivered_upto)
    for index in indices:
        delivered[index] = head
    return changed(
        stack,
        process_managers=managers,
        process_manager_versions=versions,
        delivered_upto=tuple(delivered),
    )


class Aggregates:
    """The aggregates of some types after the events read so far: states and versions by stream id."""

    def __init__(
        self, event_store: Any, types: Iterable[type], snapshots: SnapshotStore | None = None
    ) -> None:
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self._types = by_name(classes("aggregate_types", types, "[BankAccount]"))
        self._event_store = event_store
        self._snapshots = snapshots
        self._ahead: dict[str, int] = {}
        self.unknown: dict[str, None] = {}  # the stored names of aggregates that no given type has
        register_streams(event_store, self._types.values())

    def take(self, recorded: RecordedEvent) -> None:
        """Apply the event to the aggregate of its stream."""
        stream_id = recorded.stream_id
        state = self.states.get(stream_id)
        if state is None:
            cls = self._types.get(stream_id.partition("-")[0])
            if cls is None:
                if "command" in recorded.metadata:  # else no aggregate wrote the stream
                    self.unknown[stream_id.partition("-")[0]] = None
                return
            state = self._first(stream_id, cls)
        if recorded.stream_version > self._ahead.get(stream_id, 0):
            self.states[stream_id] = fold(state, (recorded,))
            self.versions[stream_id] = recorded.stream_version

    def take_stream(self, stream_id: str) -> None:
        """Apply a whole stream to its aggregate; with a snapshot, only the events after it are read."""
        category = stream_id.partition("-")[0]
        cls = self._types.get(category)
        if cls is None:
            if category not in self.unknown:
                for recorded in islice(self._event_store.stream(stream_id), 1):
                    self.take(recorded)
            return
        snapshot = self._snapshot(stream_id, cls)
        later = None if snapshot is None else self._since(snapshot)
        if snapshot is not None and later is not None:
            self._begin(snapshot)
        for recorded in self._event_store.stream(stream_id) if later is None else later:
            self.take(recorded)

    def check_names(self) -> None:
        """Tell of streams whose aggregate has no class, once all events are read.

        Raises `InvalidModel` where one of the given types has no stream: then it was surely renamed.
        """
        class_of = getattr(getattr(self._event_store, "serializer", None), "class_of", self._types.get)
        missing = [name for name in self.unknown if class_of(name) is None]
        if not missing or not self._types:
            return
        found = {stream_id.partition("-")[0] for stream_id in self.states}
        unused = [cls.__name__ for name, cls in self._types.items() if name not in found]
        problem = f"the history has streams of {', '.join(missing)}, and no known class has this stored name"
        if not unused:
            _log.warning(
                "%s. Give their aggregates too; else a command reads them when it needs them", problem
            )
            return
        name, cls = missing[0], unused[0]
        raise InvalidModel(
            f"{problem}; it has no stream of {cls}. If {cls} is {name} under a new name, write "
            f"stored_name = {name!r} in the body of {cls}, or give the store a Serializer with "
            f"names={{{cls}: {name!r}}}. Else give the class of {name} too, or leave out {cls}"
        )

    def _first(self, stream_id: str, cls: type) -> Any:
        """The state to begin with: that of a snapshot that agrees with the events, or a new one."""
        snapshot = self._snapshot(stream_id, cls)
        if snapshot is not None and self._since(snapshot) is not None:
            return self._begin(snapshot)
        return begun(identity_in(cls, stream_id))

    def _snapshot(self, stream_id: str, cls: type) -> Snapshot | None:
        return None if self._snapshots is None else self._snapshots.get(stream_id, cls)

    def _begin(self, snapshot: Snapshot) -> Any:
        stream_id = snapshot.stream_id
        self._ahead[stream_id] = self.versions[stream_id] = snapshot.version
        self.states[stream_id] = snapshot.state
        return snapshot.state

    def _since(self, snapshot: Snapshot) -> Iterator[RecordedEvent] | None:
        """The events after a snapshot; None where the snapshot's event is another."""
        version = snapshot.version
        events = iter(self._event_store.stream(snapshot.stream_id, start_version=version))
        last = next(events, None)
        found = None if last is None else (last.stream_version, last.event_id)
        return events if found == (version, snapshot.event_id) else None


class Instances:
    """The process manager instances after the events read so far: states and versions by stream id.

    ``rejections`` are those that running instances took in, where the event store does not keep them.
    """

    def __init__(
        self,
        event_store: Any,
        types: Iterable[type],
        snapshots: SnapshotStore | None = None,
        rejections: Mapping[str, Sequence[KeptRejection]] = {},
    ) -> None:
        self._types = tuple(types)
        names = [stored_name(cls) for cls in self._types]
        kept = [each for of_instance in rejections.values() for each in of_instance]
        self._rejections = sorted(
            [each for each in kept if each.stream_id.partition("-")[0] in names],
            key=lambda each: (-each.position, -each.number),
        )  # the first one is the last
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self._event_store = event_store
        self._snapshots = snapshots
        self._ahead: dict[str, int] = {}
        self._marks: dict[int, RecordedEvent | None] = {}

    @property
    def furthest(self) -> int:
        """The latest position that a used snapshot includes; 0 where no snapshot is used."""
        return max(self._ahead.values(), default=0)

    def take(self, recorded: RecordedEvent) -> None:
        """Apply the event to every instance that it concerns; no instance is asked for commands."""
        self.take_rejections(recorded.position - 1)
        for cls in self._types:
            for interest in ask.interested(cls, recorded.event, recorded):
                self._take(identify(cls, interest.id), interest, recorded)

    def take_rejections(self, upto: float = inf) -> None:
        """Apply the rejections that instances took in up to a position."""
        while self._rejections and self._rejections[-1].position <= upto:
            kept = self._rejections.pop()
            state = self.states.get(kept.stream_id)
            if state is not None:
                self.states[kept.stream_id] = ask.apply(state, kept.rejected, kept.cause)

    def _take(self, identity: Identity, interest: Interest, recorded: RecordedEvent) -> None:
        stream_id = identity.stream_id
        if stream_id not in self.states and isinstance(interest, Start):
            self._begin(identity)
        if recorded.position <= self._ahead.get(stream_id, 0):
            return
        verb, after = taken_in(identity, self.states.get(stream_id), interest, recorded)
        if not verb.changes:
            return
        self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
        if after is None:
            del self.states[stream_id]
        else:
            self.states[stream_id] = after

    def _begin(self, identity: Identity) -> None:
        """Begin an instance with its snapshot, where there is one that agrees with the events."""
        stream_id = identity.stream_id
        if self._snapshots is None or ask.takes_rejections(identity.type):
            return  # a snapshot does not say which rejections it includes
        snapshot = self._snapshots.get(stream_id, identity.type)
        if stream_id not in self._ahead and snapshot is not None and self._borne_out(snapshot):
            self._ahead[stream_id], self.versions[stream_id] = snapshot.position, snapshot.version
            self.states[stream_id] = snapshot.state

    def _borne_out(self, snapshot: Snapshot) -> bool:
        position = snapshot.position
        if position not in self._marks:
            self._marks[position] = event_at(self._event_store, position)
        mark = self._marks[position]
        return mark is not None and mark.event_id == snapshot.event_id


def event_at(event_store: Any, position: int) -> RecordedEvent | None:
    """The event at a position among all events; None where there is none."""
    event: RecordedEvent | None = next(iter(event_store.stream(ALL, start_version=position)), None)
    return event if event is not None and event.position == position else None
