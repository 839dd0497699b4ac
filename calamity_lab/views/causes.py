"""What caused what: commands and events as nodes, and an edge from each to what it led to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import Appended, Completed, Dispatched, Refused
from calamity_lab.trace.trace import Trace
from calamity_lab.views.tables import moment_of

if TYPE_CHECKING:
    from networkx import MultiDiGraph

Outcome = Literal["pending", "in progress", "accepted", "refused"]


@dataclass(frozen=True, slots=True)
class CommandNode:
    """A command; ``sender`` is the process manager instance that sent it, None where it was submitted."""

    id: str
    type: str
    origin: Literal["submitted", "sent"]
    sender: str | None
    outcome: Outcome


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
    """A command *caused* an event, or an event *emitted* a command: by which process manager instance."""

    source: str
    target: str
    relation: Literal["caused", "emitted"]
    process_manager: str | None = None


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
            manager = {} if edge.process_manager is None else {"process_manager": edge.process_manager}
            graph.add_edge(edge.source, edge.target, key=edge.relation, relation=edge.relation, **manager)
        return graph


def causes(trace: Trace, cursor: int | None = None) -> Causes:
    """What had caused what at the cursor (None: at the last moment); commands that wait are in it too."""
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
        if isinstance(step, Dispatched):
            pendings[step.pending.command_id] = step.pending
            commands[step.pending.command_id] = _command_node(step.pending, "in progress")
        elif isinstance(step, Refused):
            commands[step.pending.command_id] = _command_node(step.pending, "refused")
        elif isinstance(step, (Appended, Completed)):
            known = commands[step.pending.command_id]
            if known.outcome == "in progress":
                commands[known.id] = _command_node(step.pending, "accepted")
    for pending in trace[at].agenda.entries():
        pendings[pending.command_id] = pending
        commands[pending.command_id] = _command_node(pending, "pending")
    emitted = tuple(edge for pending in pendings.values() for edge in _emitted(pending))
    return Causes(tuple(commands.values()), _event_nodes(events), (*_caused(events), *emitted))


def causes_of_events(recorded: Iterable[RecordedEvent]) -> Causes:
    """What events tell of their causes: the command of each, and who sent it.

    They do not tell which event made a process manager send a command, nor of commands without events.
    """
    events = tuple(recorded)
    return Causes(tuple(_commands_of(events)), _event_nodes(events), _caused(events))


def _commands_of(events: Iterable[RecordedEvent]) -> list[CommandNode]:
    found: dict[str, CommandNode] = {}
    for event in events:
        if event.causation_id is not None and event.causation_id not in found:
            sender = event.metadata.get("process_manager")
            found[event.causation_id] = CommandNode(
                event.causation_id,
                str(event.metadata.get("command", "unknown")),
                "submitted" if sender is None else "sent",
                sender,
                "accepted",
            )
    return list(found.values())


def _command_node(pending: Pending, outcome: Outcome) -> CommandNode:
    sender = None if pending.sender is None else pending.sender.stream_id
    return CommandNode(
        pending.command_id,
        pending.command_type,
        "submitted" if sender is None else "sent",
        sender,
        outcome,
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
    return (CauseEdge(pending.causation_id, pending.command_id, "emitted", pending.sender.stream_id),)


def _attributes(node: CommandNode | EventNode) -> dict[str, object]:
    """The fields of a node that are there, besides its id: formats such as GraphML know no None."""
    return {name: value for name, value in asdict(node).items() if name != "id" and value is not None}
