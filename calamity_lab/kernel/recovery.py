"""Rebuild a stack from its event store: its states, and the commands that are still outstanding."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from typing import Any, TypeVar

from calamity_lab.errors import InvalidModel, InvalidValue, Rejected
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.folding import Verb, begun, fold, identity_in, react
from calamity_lab.kernel.identity import Identity, by_name, identify, stored_name
from calamity_lab.kernel.in_memory_stores import (
    InMemoryAggregateStore,
    InMemoryProcessManagerStore,
    InMemoryVersionStore,
    Snapshot,
    SnapshotStore,
)
from calamity_lab.kernel.messages import Start
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.reacting import caused_by_event, caused_by_refusal
from calamity_lab.kernel.recorded import RecordedEvent, of_recorded
from calamity_lab.kernel.stack import Stack, changed, register_streams

_log = logging.getLogger("calamity_lab")

S = TypeVar("S", bound=SnapshotStore)


def rebuild(
    stack: Stack, aggregate_types: Iterable[type] = (), *, snapshots: SnapshotStore | None = None
) -> Stack:
    """The stack with its states folded from the event store: aggregates of these types, and all instances.

    Other aggregates are caught up when a command first needs them. The contents of the stack's in-memory
    stores are replaced; stores that live elsewhere stay as they are.

    Streams of aggregates that have no known class are told in the log. Raises `InvalidModel` where moreover a
    given type has no stream: it was renamed, and needs its earlier name as ``stored_name``.
    """
    aggregates = Aggregates(stack.event_store, aggregate_types, snapshots)
    if snapshots is not None and not stack.process_manager_types and hasattr(stack.event_store, "stream_ids"):
        for stream_id in stack.event_store.stream_ids:
            aggregates.take_stream(stream_id)
        aggregates.check_names()
        return _with_aggregates(stack, aggregates)
    instances = Instances(stack.event_store, stack.process_manager_types, snapshots)
    return _rebuilt(stack, aggregates, instances, None)


def recover(
    stack: Stack, aggregate_types: Iterable[type] = (), *, snapshots: SnapshotStore | None = None
) -> Run:
    """The run to continue with after a crash: the rebuilt stack, with the outstanding commands on its agenda.

    A command is outstanding when a process manager sent it and no event has its id as causation id. A command
    that was rejected, or that led to no event, left no trace in the store. The model is asked again how such
    a command was decided at the time; it is outstanding only if the decision has events. Snapshots save
    reading the events of aggregates, but not of process managers: a snapshot does not say which commands of
    an instance were carried out.
    """
    instances = Instances(stack.event_store, stack.process_manager_types)
    outstanding = Outstanding(stack.event_store, instances)
    rebuilt = _rebuilt(
        stack, Aggregates(stack.event_store, aggregate_types, snapshots), instances, outstanding
    )
    return Run(rebuilt, Agenda(outstanding.commands()))


def _rebuilt(
    stack: Stack, aggregates: Aggregates, instances: Instances, outstanding: Outstanding | None
) -> Stack:
    """The stack with the states of its whole history, which is read once."""
    head = 0
    for recorded in _history(stack.event_store, instances):
        head = recorded.position
        if outstanding is not None:
            outstanding.turn(recorded)
        aggregates.take(recorded)
        for identity, commands in instances.take(recorded):
            if outstanding is not None:
                outstanding.send(recorded, identity, commands)
    aggregates.check_names()
    return _with_instances(_with_aggregates(stack, aggregates), instances, head)


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
        delivered_upto=(head,) * len(stack.process_manager_types),
    )


class Aggregates:
    """The aggregates of some types after the events read so far: states and versions by stream id."""

    def __init__(
        self, event_store: Any, types: Iterable[type], snapshots: SnapshotStore | None = None
    ) -> None:
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self._types = by_name(_classes(types))
        self._event_store = event_store
        self._snapshots = snapshots
        self._ahead: dict[str, int] = {}
        self.unknown: dict[str, None] = {}  # the stored names of aggregates that no given type bears
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
            self.states[stream_id] = fold(state, (recorded.event,))
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
    """The process manager instances after the events read so far: states and versions by stream id."""

    def __init__(
        self, event_store: Any, types: Iterable[type], snapshots: SnapshotStore | None = None
    ) -> None:
        self.states: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self._types = tuple(types)
        self._event_store = event_store
        self._snapshots = snapshots
        self._ahead: dict[str, int] = {}
        self._marks: dict[int, RecordedEvent | None] = {}

    @property
    def furthest(self) -> int:
        """The latest position that a used snapshot includes; 0 where no snapshot is used."""
        return max(self._ahead.values(), default=0)

    def take(self, recorded: RecordedEvent) -> Iterator[tuple[Identity, tuple[Any, ...]]]:
        """Apply the event to every instance that it concerns: those that send commands, with them."""
        event = recorded.event
        for cls in self._types:
            interest = ask.interested(cls, event)
            if interest is None:
                continue
            identity = identify(cls, interest.id)
            stream_id = identity.stream_id
            if stream_id not in self.states and isinstance(interest, Start):
                self._begin(identity)
            if recorded.position <= self._ahead.get(stream_id, 0):
                continue
            reacted = react(identity, self.states.get(stream_id), interest, event)
            if reacted.verb is Verb.IGNORED:
                continue
            self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
            if reacted.after is None:
                del self.states[stream_id]
            else:
                self.states[stream_id] = reacted.after
            if reacted.commands:
                yield identity, reacted.commands

    def _begin(self, identity: Identity) -> None:
        """Begin an instance with its snapshot, where there is one that agrees with the events."""
        stream_id = identity.stream_id
        snapshot = None if self._snapshots is None else self._snapshots.get(stream_id, identity.type)
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


def _classes(types: Any) -> Iterable[type]:
    """The aggregate types, after a check that they are a list of classes."""
    listed = list(types) if isinstance(types, Iterable) and not isinstance(types, type) else [types]
    if isinstance(types, type) or not all(isinstance(cls, type) for cls in listed):
        raise InvalidModel(
            f"Give the aggregates as a list of their classes, as in [BankAccount]; found {types!r}"
        )
    return listed


class Outstanding:
    """The commands that process managers sent and that were not carried out, found while a history is read.

    Each cascade (one correlation id) has an agenda and goes depth first, one command at a time. So a command
    that stands on the agenda before a command with events was done before it, even where it left no event:
    it was rejected, or it decided nothing. The model is pure, so it can be asked again.
    """

    def __init__(self, event_store: Any, instances: Instances) -> None:
        self._event_store = event_store
        self._instances = instances
        self._in_progress: dict[str, Pending] = {}
        self._caused: dict[str, list[Pending]] = {}
        self._waiting: dict[str, list[Pending]] = {}
        self._upto: dict[str, int] = {}

    def turn(self, recorded: RecordedEvent) -> None:
        """Take the event's command off the agenda; call this before the event is applied."""
        cascade = recorded.correlation_id
        pending = self._in_progress.get(cascade)
        if pending is None or pending.command_id != recorded.causation_id:
            waiting = [*self._caused.pop(cascade, ()), *self._waiting.pop(cascade, ())]
            pending, waiting = self._carried_out(recorded, waiting)
            self._in_progress[cascade] = pending
            if waiting:
                self._waiting[cascade] = waiting
        self._upto[cascade] = recorded.position

    def send(self, recorded: RecordedEvent, sender: Identity, commands: tuple[Any, ...]) -> None:
        """Put the commands that an instance sends for the event on the cascade's agenda."""
        pending = self._in_progress[recorded.correlation_id]
        sent = caused_by_event(pending, recorded, sender, commands)
        if pending.command is None:  # what was submitted is not recorded: so it cannot be a parent
            sent = tuple([child._replace(parent=None) for child in sent])
        self._caused.setdefault(recorded.correlation_id, []).extend(sent)

    def commands(self) -> Iterator[Pending]:
        """The commands that are outstanding at the end of the history; the oldest cascade comes first."""
        for cascade in sorted({*self._caused, *self._waiting}, key=self._upto.__getitem__):
            waiting = [*self._caused.get(cascade, ()), *self._waiting.get(cascade, ())]
            # The decision on a command after an outstanding one depends on that one, and is not known.
            while waiting and self._outcome(waiting[0], self._upto[cascade]) == ():
                del waiting[0]
            yield from waiting

    def _carried_out(self, recorded: RecordedEvent, waiting: list[Pending]) -> tuple[Pending, list[Pending]]:
        """The command of an event, and those that still wait, also where the user chose another order."""
        passed: list[Pending] = []
        while waiting:
            pending = waiting.pop(0)
            if pending.command_id == recorded.causation_id:
                return pending, [*passed, *waiting]
            outcome = self._outcome(pending, recorded.position - 1)
            if outcome is None:
                passed.append(pending)
            else:
                waiting[:0] = outcome
        for n, pending in enumerate(passed):
            answers = self._answers_with(pending, recorded)
            if answers:
                return self._carried_out(recorded, [*passed[:n], *answers, *passed[n + 1 :]])
        return _submitted(recorded), passed

    def _answers_with(self, pending: Pending, recorded: RecordedEvent) -> tuple[Pending, ...]:
        """The commands that answered the rejection of a command, if the event's command is among them.

        Others may have written to the aggregate since, so that the command would no longer be rejected. So
        the aggregate is asked again in each state in which the command may have found it.
        """
        since = 0 if pending.cause is None else pending.cause.position
        for outcome in self._outcomes(pending, since, recorded.position - 1):
            if outcome and any(answer.command_id == recorded.causation_id for answer in outcome):
                return outcome
        return ()

    def _outcome(self, pending: Pending, upto: int) -> tuple[Pending, ...] | None:
        """The commands that a command without events led to; None where the command has events."""
        (outcome,) = self._outcomes(pending, upto, upto)
        return outcome

    def _outcomes(self, pending: Pending, since: int, upto: int) -> Iterator[tuple[Pending, ...] | None]:
        """The outcome of a command in each state of its aggregate between two positions, in order."""
        identity = ask.target(pending.command)
        state = begun(identity)
        history = self._event_store.stream(identity.stream_id)
        for recorded in takewhile(lambda r: r.position <= upto, history):
            if recorded.position > since:
                yield self._decided(state, pending)
            state = fold(state, (recorded.event,))
        yield self._decided(state, pending)

    def _decided(self, state: Any, pending: Pending) -> tuple[Pending, ...] | None:
        try:
            return None if ask.execute(state, pending.command) else ()
        except Rejected as rejected:
            return self._answer(pending, rejected)

    def _answer(self, pending: Pending, rejected: Rejected) -> tuple[Pending, ...]:
        sender = pending.sender
        instance = None if sender is None else self._instances.states.get(sender.stream_id)
        if sender is None or not hasattr(instance, "handle_rejection"):
            return ()
        return caused_by_refusal(pending, sender, ask.handle_rejection(instance, rejected))


def _submitted(recorded: RecordedEvent) -> Pending:
    """A submitted command as far as one of its events tells it; the command itself is not recorded."""
    command_id = recorded.causation_id or recorded.event_id
    return Pending(None, command_id, recorded.correlation_id, metadata=of_recorded(recorded.metadata))
