"""What a trace holds up to a moment: steps, states and reactions as rows, and a graph of what caused what."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from calamity_lab.errors import CalamityError, InvalidValue, Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import a_mapping, a_whole_number, an_instance, wrong
from calamity_lab.kernel.folding import begun, fold, identity_in
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.steps import (
    Appended,
    AtProcessManager,
    Elapsed,
    Executed,
    Injected,
    Step,
)
from calamity_lab.probe.preview import target_of
from calamity_lab.trace.projections import BrokenProjection, ProjectionChange
from calamity_lab.trace.sentences import fact
from calamity_lab.trace.trace import Trace

if TYPE_CHECKING:
    from networkx import MultiDiGraph


class StepRow(NamedTuple):
    """A step, its subject, and what caused its command.

    ``stream_id`` is the aggregate or process manager concerned; None when the command is completed.
    ``cause`` is the type and ``cause_position`` the position of the event whose answer the command is, and
    ``sender`` the process manager that gave it; None for a submitted command. A command that a deadline sent
    has ``due_at``, when it was due (UTC), and ``deadline``, the name; both are None for others. ``reason`` is
    why a command was rejected, at the step at which it was.
    """

    step: int
    kind: str
    command: str
    stream_id: str | None
    depth: int
    cause: str | None
    cause_position: int | None
    sender: str | None
    due_at: datetime | None
    deadline: str | None
    command_id: str
    correlation_id: str
    reason: str | None
    fact: str


class PendingRow(NamedTuple):
    """A command that waits: for its turn on the agenda, or as a deadline for the time at which it is due.

    ``number`` is its index in ``lab.agenda`` or ``lab.deadlines``, and ``stream_id`` the aggregate that it
    goes to; None if there is none. The others are as in `StepRow`; ``command`` is the command itself.
    """

    number: int
    command_type: str
    stream_id: str | None
    depth: int
    cause: str | None
    cause_position: int | None
    sender: str | None
    due_at: datetime | None
    deadline: str | None
    command_id: str
    correlation_id: str
    command: Any


class StateAfterEvent(NamedTuple):
    """The state of an aggregate after an event; ``moment`` is 0 for an event older than the trace."""

    position: int
    stream_id: str
    stream_version: int
    event_type: str
    moment: int
    recorded_at: datetime
    aggregate: str
    state: Any


class StateAfterChange(NamedTuple):
    """The state of a projection after an event that changed it; ``version`` counts the changes.

    ``problem`` is what broke the projection at this event; then there is no state.
    """

    position: int
    stream_id: str
    version: int
    event_type: str
    moment: int
    recorded_at: datetime
    problem: str | None
    projection: str
    state: Any


class ReactionRow(NamedTuple):
    """The reaction of a process manager instance to an event or a rejection, and its state afterwards.

    ``verb`` is started, continued, stopped or ignored. ``trigger`` is the type of the event at ``position``,
    or of the rejected command; then ``rejection`` is the reason. ``commands`` are the types of the commands
    that were sent, ``deadlines`` the names of the deadlines that were set, and ``taken_off`` of those that
    were cancelled, replaced, or left behind. ``state`` is None once the instance is stopped.
    """

    moment: int
    stream_id: str
    verb: str
    trigger: str
    position: int | None
    rejection: str | None
    commands: tuple[str, ...]
    deadlines: tuple[str, ...]
    taken_off: tuple[str, ...]
    process_manager: str
    state: Any


def state_rows(
    trace: Trace, cursor: int | None = None, types: Mapping[str, type] | None = None
) -> tuple[StateAfterEvent, ...]:
    """The state of each aggregate after each event up to the cursor, in order of position.

    Events that are older than the trace are folded from ``new(id)``, where ``types`` has the class of that
    category; others of them are left out. An id that is read off a stream's name is a text.
    """
    moment_of(trace, cursor)
    known = a_mapping("types", {} if types is None else types, "{'BankAccount': BankAccount}")
    return (*_older(trace, known), *_recorded(trace, cursor))


def change_rows(trace: Trace, cursor: int | None = None) -> tuple[StateAfterChange, ...]:
    """The states of the projections after each event up to the cursor that changed them, in order."""
    last = moment_of(trace, cursor)
    index, changes = trace.index, trace.index.projections.changes
    upto = bisect_right(changes, last, key=lambda change: change.moment)
    return tuple(_change_row(index.events[each.event - 1], each) for each in changes.iterate(0, upto))


def reaction_rows(trace: Trace, cursor: int | None = None) -> tuple[ReactionRow, ...]:
    """The reactions of process managers to events and rejections up to the cursor, in order."""
    return tuple(_reaction_row(step) for step in steps(trace, cursor) if isinstance(step, AtProcessManager))


def moment_of(trace: Trace, cursor: int | None) -> int:
    """The moment of a cursor: None is the last one, a negative number counts from the end."""
    an_instance("trace", trace, Trace, "lab.trace")
    if cursor is None:
        return trace.last
    last = trace.last
    try:
        return trace[a_whole_number("cursor", cursor, low=None)].index
    except InvalidValue as error:
        works = f"a whole number from 0 to {last}, or None for the last moment"
        raise wrong("cursor", cursor, works) from error


def steps(trace: Trace, cursor: int | None = None) -> Iterator[Step]:
    """The steps of a trace up to the cursor (None: all of them), in order."""
    last = moment_of(trace, cursor)
    for moment in trace.branch.moments.iterate(1, last + 1):
        if moment.step is not None:
            yield moment.step


def step_row(step: Step) -> StepRow:
    """The row of a step."""
    pending = step.pending
    return StepRow(
        step=step.index,
        kind=step.kind,
        command=pending.command_type,
        stream_id=step.stream_id,
        depth=step.depth,
        **_came_from(pending),
        reason=step.reason,
        fact=fact(step),
    )


def _came_from(pending: Pending) -> dict[str, Any]:
    """The columns that say where a command comes from, and when it is due."""
    cause = pending.cause
    return {
        "cause": None if cause is None else cause.event_type,
        "cause_position": None if cause is None else cause.position,
        "sender": None if pending.sender is None else pending.sender.stream_id,
        "due_at": pending.due_at,
        "deadline": pending.deadline,
        "command_id": pending.command_id,
        "correlation_id": pending.correlation_id,
    }


def pending_row(number: int, pending: Pending) -> PendingRow:
    """The row of a pending command, or of a deadline."""
    try:
        stream_id: str | None = target_of(pending.command).stream_id
    except CalamityError:  # it cannot be dispatched, which its step will say
        stream_id = None
    return PendingRow(
        number=number,
        command_type=pending.command_type,
        stream_id=stream_id,
        depth=pending.depth,
        **_came_from(pending),
        command=pending.command,
    )


def _older(trace: Trace, types: Mapping[str, type]) -> Iterator[StateAfterEvent]:
    index = trace.index
    states: dict[str, Any] = {}
    for recorded in index.events.iterate(0, index.events_at(0)):
        stream_id = recorded.stream_id
        cls = types.get(Identity.parse(stream_id).category)
        if cls is None:
            continue
        state = states.get(stream_id)
        identity = identity_in(cls, stream_id)
        state = begun(identity) if state is None else state
        state = states[stream_id] = fold(state, (recorded,))
        yield _state_row(recorded, 0, identity, state)


def _recorded(trace: Trace, cursor: int | None) -> Iterator[StateAfterEvent]:
    states: tuple[Any, ...] = ()
    for step in steps(trace, cursor):
        if isinstance(step, Executed):
            states = step.states
        elif isinstance(step, Appended):
            after = step.states or states
            for recorded, state in zip(step.recorded, after, strict=True):
                yield _state_row(recorded, step.index, step.subject, state)


def _state_row(recorded: RecordedEvent, moment: int, identity: Identity, state: Any) -> StateAfterEvent:
    return StateAfterEvent(
        recorded.position,
        recorded.stream_id,
        recorded.stream_version,
        recorded.event_type,
        moment,
        recorded.recorded_at,
        identity.category,
        state,
    )


def _change_row(recorded: RecordedEvent, change: ProjectionChange) -> StateAfterChange:
    is_broken = isinstance(change.after, BrokenProjection)
    return StateAfterChange(
        recorded.position,
        change.identity.stream_id,
        change.version,
        recorded.event_type,
        change.moment,
        recorded.recorded_at,
        change.after.problem if is_broken else None,
        change.identity.category,
        None if is_broken else change.after,
    )


def _reaction_row(step: AtProcessManager) -> ReactionRow:
    trigger = step.trigger
    rejected = isinstance(trigger, Rejected)
    return ReactionRow(
        moment=step.index,
        stream_id=step.identity.stream_id,
        verb=step.verb,
        trigger=stored_name(type(trigger.command)) if isinstance(trigger, Rejected) else trigger.event_type,
        position=None if isinstance(trigger, Rejected) else trigger.position,
        rejection=str(trigger) if rejected else None,
        commands=tuple(pending.command_type for pending in step.commands),
        deadlines=tuple(str(each.deadline) for each in step.deadlines),
        taken_off=tuple(str(each.deadline) for each in step.taken_off),
        process_manager=step.identity.category,
        state=step.after,
    )


Outcome = Literal["waiting", "pending", "in progress", "accepted", "rejected"]
"""What became of a command; a deadline that is set is waiting for its time."""


@dataclass(frozen=True, slots=True)
class CommandNode:
    """A command, or a fault that was injected; ``sender`` is the process manager instance that sent it.

    A command that was set as a deadline has the name, ``deadline``, and ``due_at``, a time in ISO 8601.
    """

    id: str
    type: str
    origin: Literal["submitted", "sent", "injected"]
    sender: str | None
    outcome: Outcome
    deadline: str | None = None
    due_at: str | None = None


@dataclass(frozen=True, slots=True)
class EventNode:
    """A recorded event."""

    id: str
    type: str
    stream_id: str
    stream_version: int
    position: int


@dataclass(frozen=True, slots=True)
class CauseEdge:
    """A command *caused* an event, or an event *emitted* a command: by which process manager instance.

    Where this set the command as a deadline, the relation is *deadline*, and ``delay`` is how many seconds
    after the event it is due. In a history of another store, an event may have *caused* an event.
    """

    source: str
    target: str
    relation: Literal["caused", "emitted", "deadline"]
    process_manager: str | None = None
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Causes:
    """The graph of causes: commands by age, events by position, edges in order of what they lead to."""

    commands: tuple[CommandNode, ...]
    events: tuple[EventNode, ...]
    edges: tuple[CauseEdge, ...]

    def to_networkx(self) -> MultiDiGraph[str]:
        """The same as a networkx graph: nodes by id, with their ``kind`` (command, event) and fields."""
        import networkx as nx

        graph: MultiDiGraph[str] = nx.MultiDiGraph()
        for kind, nodes in (("command", self.commands), ("event", self.events)):
            graph.add_nodes_from((node.id, {"kind": kind, **_attributes(node)}) for node in nodes)
        for edge in self.edges:
            more = {"process_manager": edge.process_manager, "delay": edge.delay}
            known = {name: value for name, value in more.items() if value is not None}
            graph.add_edge(edge.source, edge.target, key=edge.relation, relation=edge.relation, **known)
        return graph


def causes(trace: Trace, cursor: int | None = None) -> Causes:
    """The graph of causes at the cursor (None: at the last moment), with pending commands and deadlines."""
    at = moment_of(trace, cursor)
    index = trace.index
    events = tuple(index.events.iterate(0, index.events_at(at)))
    commands = {node.id: node for node in _commands_of(events[: index.events_at(0)])}
    pendings: dict[str, Pending] = {}
    begun = trace[0].run.progress
    if begun is not None:  # the trace goes on from a run in the middle of a command
        pendings[begun.pending.command_id] = begun.pending
        commands[begun.pending.command_id] = _command_node(begun.pending, "in progress")
    for moment in trace.branch.moments.iterate(1, at + 1):
        step = moment.step
        if step is None or isinstance(step, Elapsed):
            continue
        if isinstance(step, Injected):
            name = type(step.fault).__name__
            commands[step.fault_id] = CommandNode(step.fault_id, name, "injected", None, "accepted")
        elif step.begins:
            pendings[step.pending.command_id] = step.pending
            commands[step.pending.command_id] = _command_node(step.pending, "in progress")
        elif step.rejected is not None:
            commands[step.pending.command_id] = _command_node(step.pending, "rejected")
        elif step.recorded or step.ends:
            known = commands[step.pending.command_id]
            if known.outcome == "in progress":
                commands[known.id] = _command_node(step.pending, "accepted")
    for pending, outcome in _ahead(trace[at].run):
        pendings[pending.command_id] = pending
        commands[pending.command_id] = _command_node(pending, outcome)
    emitted = tuple(edge for pending in pendings.values() for edge in _emitted(pending))
    return Causes(tuple(commands.values()), _event_nodes(events), (*_caused(events), *emitted))


def _ahead(run: Run) -> Iterator[tuple[Pending, Outcome]]:
    """The pending commands and the deadlines."""
    for pending in run.agenda.entries():
        yield pending, "pending"
    for deadline in run.stack.deadlines:
        yield deadline, "waiting"


def causes_of_events(recorded: Iterable[RecordedEvent]) -> Causes:
    """The graph of causes that recorded events show: the command of each event, and its sender.

    They do not show which event made a process manager send a command, nor the commands without events.
    """
    events = tuple(recorded)
    return Causes(tuple(_commands_of(events)), _event_nodes(events), _caused(events))


def _commands_of(events: tuple[RecordedEvent, ...]) -> list[CommandNode]:
    """The commands that the events name as their causes; in a foreign history an event may be the cause."""
    found: dict[str, CommandNode] = {}
    event_ids = {event.event_id for event in events}
    for event in events:
        cause = event.causation_id
        if cause is not None and cause not in found and cause not in event_ids:
            sender = event.metadata.get("process_manager")
            found[cause] = CommandNode(
                cause,
                str(event.metadata.get("command", event.metadata.get("fault", "unknown"))),
                _origin(event, sender),
                sender,
                "accepted",
            )
    return list(found.values())


def _origin(event: RecordedEvent, sender: str | None) -> Literal["submitted", "sent", "injected"]:
    if sender is not None:
        return "sent"
    return "injected" if "fault" in event.metadata else "submitted"


def _command_node(pending: Pending, outcome: Outcome) -> CommandNode:
    sender = None if pending.sender is None else pending.sender.stream_id
    return CommandNode(
        pending.command_id,
        pending.command_type,
        "submitted" if sender is None else "sent",
        sender,
        outcome,
        pending.deadline,
        None if pending.due_at is None else pending.due_at.isoformat(),
    )


def _event_nodes(events: Iterable[RecordedEvent]) -> tuple[EventNode, ...]:
    return tuple(
        EventNode(event.event_id, event.event_type, event.stream_id, event.stream_version, event.position)
        for event in events
    )


def _caused(events: Iterable[RecordedEvent]) -> tuple[CauseEdge, ...]:
    return tuple(
        CauseEdge(event.causation_id, event.event_id, "caused")
        for event in events
        if event.causation_id is not None
    )


def _emitted(pending: Pending) -> tuple[CauseEdge, ...]:
    if pending.causation_id is None or pending.sender is None:
        return ()
    source, target, manager = pending.causation_id, pending.command_id, pending.sender.stream_id
    if pending.due_at is None or pending.cause is None:
        return (CauseEdge(source, target, "emitted", manager),)
    delay = (pending.due_at - pending.cause.recorded_at).total_seconds()
    return (CauseEdge(source, target, "deadline", manager, delay),)


def _attributes(node: CommandNode | EventNode) -> dict[str, object]:
    """The fields of a node besides its id, without None, which formats such as GraphML do not know."""
    return {name: value for name, value in asdict(node).items() if name != "id" and value is not None}
