"""The process graph: who sends what to whom, how often it happened, and the status of an instance."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from itertools import islice
from typing import Any, Literal, NamedTuple, cast

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.arguments import is_a
from calamity_lab.kernel.cases import paths
from calamity_lab.kernel.identity import Identity, by_name, stored_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.steps import Elapsed, Step
from calamity_lab.model import Model
from calamity_lab.probe.possible import Possible, possible
from calamity_lab.text import format_value, length_of_time, plural, point_in_time
from calamity_lab.trace.trace import Trace
from calamity_lab.views.counters import LATER, Delays, EdgeKey, counters
from calamity_lab.views.counters import node as key_of
from calamity_lab.views.instance_status import (
    InstanceStatus,
    StatusMark,
    edge_key,
    flow_at,
    instance_status,
    spell,
    time_at,
)
from calamity_lab.views.instances import Instance, about, instance_history, instances
from calamity_lab.views.looks import LOOKS, SIGNS
from calamity_lab.views.scenes import RANKS, GraphScene, Point, Stroke, graph_scene, layout

Kind = Literal["command", "event", "process manager", "aggregate"]


class GraphShape(NamedTuple):
    """A graph without what happens on it."""

    nodes: tuple[tuple[str, Kind, str], ...]
    edges: tuple[EdgeKey, ...]


def shape_of(model: Model, manager: str, observed: frozenset[EdgeKey]) -> GraphShape:
    """What is possible and what happened on the branch, also after the cursor: so nothing jumps at a step."""
    edges = _edges(possible(model)) | {key for key in observed if key[2] != "leads to"}
    if manager:
        leads = {(key_of("command", c), key_of("event", e)) for c, e in possible(model).leads}
        leads |= {(source, target) for source, target, label in observed if label == "leads to"}
        kept = _around(key_of("process manager", manager), edges, leads)
        edges = {edge for edge in edges if edge[0] in kept and edge[1] in kept}
    order = _order(model)
    keys = {key for source, target, _ in edges for key in (source, target)}
    nodes = [(key, *_kind_and_name(key)) for key in keys]
    nodes.sort(key=lambda node: (RANKS[node[1]], order.get(node[0], len(order)), node[2]))
    indexes = {node[0]: n for n, node in enumerate(nodes)}
    return GraphShape(tuple(nodes), tuple(sorted(edges, key=lambda e: (indexes[e[0]], indexes[e[1]], e[2]))))


def _edges(found: Possible) -> set[EdgeKey]:
    def keys(pairs: Iterable[tuple[str, str]], source: Kind, target: Kind, label: str) -> set[EdgeKey]:
        return {(key_of(source, a), key_of(target, b), label) for a, b in pairs}

    reactions = {
        (key_of("event", event), key_of("process manager", manager), verb)
        for event, manager, verb in found.reactions
    }
    return (
        keys(found.targets, "command", "aggregate", "to")
        | keys(found.decides, "aggregate", "event", "records")
        | keys(found.sends, "process manager", "command", "sends")
        | keys(found.answers, "process manager", "command", "if rejected")
        | keys(found.later, "process manager", "command", LATER)
        | reactions
    )


def _around(manager: str, edges: set[EdgeKey], leads: set[tuple[str, str]]) -> set[str]:
    """The manager, what it listens to and what it sends, what leads to that, and the aggregates between."""
    events = {source for source, target, _ in edges if target == manager}
    commands = {target for source, target, _ in edges if source == manager}
    commands |= {command for command, event in leads if event in events}
    aggregates = {target for source, target, label in edges if label == "to" and source in commands}
    aggregates |= {source for source, target, label in edges if label == "records" and target in events}
    return {manager} | events | commands | aggregates


def _order(model: Model) -> dict[str, int]:
    keys = [key_of(kind, stored_name(cls)) for kind in RANKS for cls in model.by_kind[kind]]
    return {key: n for n, key in enumerate(keys)}


def _kind_and_name(key: str) -> tuple[Kind, str]:
    kind, _, name = key.partition(":")
    return cast("Kind", kind), name


EVERYTHING = ""
"""Given as ``manager``, the graph is that of the whole model."""


_EMPTY = GraphScene()
_QUIET = frozenset({"done", "waiting", "dropped"})
_DASHES: Mapping[str, str] = {"in flight": "7 3", "waited for": "2 4", "overdue": "2 4"}


@dataclass(frozen=True, slots=True)
class Node:
    """A type of the model; ``count`` is how often it happened so far, ``current`` if it does now."""

    key: str
    kind: Kind
    name: str
    x: float
    y: float
    count: int
    current: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow from one node to another, and how often it happened; 0 if it is only possible.

    Labels: ``to`` (a command's aggregate), ``records``, ``start`` / ``continue`` / ``stop``, ``sends``,
    ``if rejected``: what a manager sends when one of its commands is rejected, and ``later``: what it sets as
    a deadline. Then ``when`` says when this is due, as in "after 15 min".
    """

    source: str
    target: str
    label: str
    count: int
    when: str = ""

    @property
    def key(self) -> str:
        """The key of the edge's status mark."""
        return edge_key((self.source, self.target, self.label))


@dataclass(frozen=True, slots=True)
class ProcessGraphView:
    """The graph around one process manager, or of the whole model; its instances, the newest first.

    ``chosen`` is the id of an instance; ``marks``, ``sentence``, ``since``, ``then`` and ``overdue`` are its
    status (see `InstanceStatus`). ``about`` are the stream ids of the instances that the step at the
    ``cursor`` is about, ``now`` the time of the latest event, in seconds since 1970. ``scene`` has the
    geometry.
    """

    managers: tuple[str, ...]
    manager: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    instances: tuple[Instance, ...]
    chosen: str | None
    marks: tuple[StatusMark, ...] = ()
    sentence: str = ""
    since: int | None = None
    then: float | None = None
    overdue: bool = False
    about: tuple[str, ...] = ()
    cursor: int = 0
    now: float | None = None
    scene: GraphScene = _EMPTY

    @property
    def found(self) -> Instance | None:
        """The chosen instance."""
        return next((each for each in self.instances if each.id == self.chosen), None)

    @property
    def is_own(self) -> bool:
        """Whether the step concerns the chosen instance; True if none is chosen."""
        return self.found is None or self.found.stream_id in self.about

    @property
    def waited(self) -> str:
        """Since when the chosen instance has done nothing, as in "since step 40: 18 steps, 4 seconds"."""
        if self.found is None or self.found.status == "stopped" or self.since is None:
            return ""
        steps = self.cursor - self.since
        time = spell((self.now or 0) - (self.then or self.now or 0))
        ago = ", ".join(part for part in (plural(steps, "step"), time) if part)
        return f"since step {self.since:,}" + (f": {ago}" if steps else "")

    @property
    def story(self) -> str:
        """The status of the chosen instance as a sentence, and since when it has it."""
        return f"{self.sentence} ({self.waited})" if self.waited else self.sentence

    def is_now(self, node: Node) -> bool:
        """Whether the step is about a node, and about the chosen instance."""
        return node.current and self.is_own

    def look(self, node: Node, mark: StatusMark | None) -> Stroke:
        """How a box is drawn: dashed where it has not happened, tinted where the instance was there."""
        is_reached = node.count > 0 and (self.chosen is None or mark is not None)
        status = None if mark is None or mark.status in _QUIET else mark.status
        is_expected = status == "waited for" or (status == "overdue" and node.kind == "event")
        width = 2.8 if node.current else 2.2 if status else 1.4
        colour = SIGNS[status].colour if status else LOOKS[node.kind].colour
        return Stroke(colour, width, "" if node.count else "4 3", is_reached and not is_expected)

    def edge_look(self, edge: Edge, mark: StatusMark | None) -> Stroke:
        """How a way is drawn: dark or in the colour of its sign where the chosen instance went, else pale."""
        usual = "rejected" if edge.label == "if rejected" else ""
        if mark is None:
            is_strong = edge.count > 0 and self.chosen is None
            pale = Stroke("ink-soft", 1.6) if is_strong else Stroke("later", 1.2)
            return pale._replace(colour=usual or pale.colour, dash="" if edge.count else "3 4")
        if mark.status == "done":
            return Stroke(usual or "ink", 1.9)
        return Stroke(SIGNS[mark.status].colour, 2.2, _DASHES.get(mark.status, ""))

    def word(self, node: Node, mark: StatusMark) -> str:
        """The word at a node; "instead" for a command that was sent because another was rejected."""
        if node.kind == "process manager" and mark.status == "done":
            return "stopped"
        often = f"×{mark.times:,}" if mark.times > 1 and node.kind in {"command", "event"} else ""
        state = "" if mark.status == "done" else SIGNS[mark.status].word
        if mark.instead and mark.status in {"done", "in flight"}:
            state = "instead"
        return " ".join(part for part in (state, often) if part)


def process_graph(
    trace: Trace,
    cursor: int,
    model: Model,
    *,
    manager: str | None = None,
    instance: str | None = None,
    status: Callable[[int, str, Instance], InstanceStatus] | None = None,
) -> ProcessGraphView:
    """The graph of a process manager (None: the model's first), with one of its instances chosen.

    ``status`` gives the status of an instance at a moment, where somebody has kept it (see `status_of`).
    """
    managers = tuple(by_name(model.process_managers))
    if manager is None:
        manager = managers[0] if managers else EVERYTHING
    if manager:
        model.process_manager(manager)  # raises, and names the known ones
    shape, points, due, scene = _drawn(trace, model, manager)
    running, chosen = instances(trace, cursor, manager, instance) if manager else ((), None)
    found = next((each for each in running if each.id == chosen), None)
    if found is None:
        stands = InstanceStatus()
    elif status is None:
        stands = _status(trace, cursor, model, shape, found)
    else:
        stands = status(cursor, manager, found)
    return ProcessGraphView(
        managers, manager, *_filled(trace, cursor, shape, points, due), running, chosen,
        stands.marks, stands.sentence, stands.since, stands.then, stands.overdue,
        tuple(map(format_value, about(trace[cursor].step))), cursor, time_at(trace, cursor), scene,
    )  # fmt: skip


def status_of(trace: Trace, cursor: int, model: Model, manager: str, instance: Instance) -> InstanceStatus:
    """The status of an instance on the graph of its process manager, as `process_graph` has it."""
    return _status(trace, cursor, model, _drawn(trace, model, manager).shape, instance)


def _status(trace: Trace, cursor: int, model: Model, shape: GraphShape, instance: Instance) -> InstanceStatus:
    lane = trace.index.lanes[instance.lane]
    return instance_status(trace, cursor, model, lane, stage=instance.stage, edges=shape.edges)


class _Drawn(NamedTuple):
    """A graph with the points of its nodes, when its deadlines are due, and its scene."""

    shape: GraphShape
    points: dict[str, Point]
    due: Mapping[EdgeKey, str]
    scene: GraphScene


_Observed = tuple[frozenset[EdgeKey], frozenset[tuple[EdgeKey, Delays]]]
_DRAWN = Slot[_Drawn](most=64)
_OBSERVED = Slot[_Observed](most=8)
_NODES = Slot[tuple[Node, ...]](most=64)
_EDGES = Slot[tuple[Edge, ...]](most=64)


def _drawn(trace: Trace, model: Model, manager: str) -> _Drawn:
    """The graph, drawn for what happened on the whole branch.

    What happens later counts too, so that no node moves at a step.
    """
    counts, delays = counters(trace, trace.last)[:2]

    def observe() -> _Observed:
        return frozenset(key for key in counts if isinstance(key, tuple)), frozenset(delays.items())

    observed = trace.memo.once(_OBSERVED, observe, counts)

    def draw() -> _Drawn:
        shape, seen = shape_of(model, manager, observed[0]), dict(observed[1])
        kinds = tuple((key, kind) for key, kind, _ in shape.nodes)
        points = layout(kinds, tuple((a, b) for a, b, _ in shape.edges))
        nodes = [Node(key, kind, name, *points[key], 0, False) for key, kind, name in shape.nodes]
        due = {key: when_due(model, key, seen.get(key)) for key in shape.edges if key[2] == LATER}
        edges = [Edge(*key, 0, due.get(key, "")) for key in shape.edges]
        return _Drawn(shape, points, due, graph_scene(nodes, edges))

    return model.memo.once(_DRAWN, draw, key=(manager, observed, possible(model).asked))


def when_due(model: Model, edge: EdgeKey, seen: Delays | None) -> str:
    """When the deadlines of an edge are due, as in "after 15 min", "after 10 min to 2 h" or "at 2026-...".

    It is what was seen in a run, and what the model answers to any message alike. "later" where neither is
    known.
    """
    known = possible(model).delays.get((_kind_and_name(edge[0])[1], _kind_and_name(edge[1])[1]))
    if known == () or (seen is not None and seen.shortest < timedelta(0)):
        if seen is None:
            return "at a given time"
        return f"at {point_in_time(seen.first)}" if seen.first == seen.last else "at different times"
    delays = [*(known or ()), *(() if seen is None else (seen.shortest, seen.longest))]
    if not delays:
        return LATER
    shortest, longest = length_of_time(min(delays)), length_of_time(max(delays))
    return f"after {shortest}" if shortest == longest else f"after {shortest} to {longest}"


def _filled(
    trace: Trace, cursor: int, shape: GraphShape, points: Mapping[str, Point], due: Mapping[EdgeKey, str]
) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """The shape with what has happened up to the cursor."""
    counts = counters(trace, cursor).counts
    current = _current(trace[cursor].step)

    def nodes() -> tuple[Node, ...]:
        return tuple(
            Node(key, kind, name, *points[key], counts.get(key, 0), key in current)
            for key, kind, name in shape.nodes
        )

    def edges() -> tuple[Edge, ...]:
        return tuple(Edge(*key, counts.get(key, 0), due.get(key, "")) for key in shape.edges)

    about = counts, shape, points, due
    return (
        trace.memo.once(_NODES, nodes, *about, key=frozenset(current)),
        trace.memo.once(_EDGES, edges, *about),
    )


def _current(step: Step | None) -> set[str]:
    """The keys of the nodes that a step concerns."""
    if step is None:
        return set()
    keys = {key_of("event", name) for name in step.event_types}
    keys |= {key_of("command", each.command_type) for each in (*step.commands, *step.deadlines)}
    if step.trigger is None and not isinstance(step, Elapsed):
        keys.add(key_of("command", step.pending.command_type))
    if step.subject is not None:
        kind = "process manager" if step.at_process_manager else "aggregate"
        keys.add(key_of(kind, step.subject.category))
    return keys


def waiting(trace: Trace, cursor: int, model: Model, stream_id: str) -> str:
    """What a process manager instance waits for at the cursor, as a sentence; "" if it does not wait."""
    identity = Identity.parse(stream_id)
    if identity.category not in by_name(model.process_managers):
        return ""
    found, chosen = instances(trace, cursor, identity.category, stream_id)
    instance = next((each for each in found if each.id == chosen), None)
    if instance is None or instance.status == "stopped" or instance.stream_id != format_value(stream_id):
        return ""
    return status_of(trace, cursor, model, identity.category, instance).sentence


class Sender(NamedTuple):
    """A process manager that could send a command, and why it did not, or when it did.

    ``instance`` is the stream id of one of its instances; "" where none has started. ``events`` are those on
    which it sends the command, as far as the source of its ``handle`` says. ``moment`` is the one to look at.
    """

    manager: str
    instance: str
    events: tuple[str, ...]
    sentence: str
    moment: int | None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Which process managers could send a command; ``sent`` is how often it was dispatched.

    ``moment`` is that of the last one. ``see`` is a call that says more.
    """

    command: str
    sentence: str
    sent: int
    senders: tuple[Sender, ...]
    moment: int | None = None
    see: str = ""


_MOST_REJECTIONS = 1_000


def not_sent(trace: Trace, cursor: int, model: Model, command: Any) -> NotSent:
    """Which process managers could send a command, what each waits for, and what stopped it."""
    if not any(command is cls for cls in model.commands):
        names = [cls.__name__ for cls in model.commands]
        near = get_close_matches(command.__name__ if is_a(command, type) else repr_of(command), names)
        known = f"did you mean {near[0]}?" if near else f"the model has {', '.join(names) or 'none'}"
        raise InvalidValue(f"why_not({repr_of(command)}): give a command class of the model; {known}")
    name, flow = stored_name(command), flow_at(trace, cursor, model)
    sent = counters(trace, cursor).counts.get(key_of("command", name), 0)
    dispatched = trace.index.dispatched
    moments = dispatched.take(bisect_right(dispatched, cursor) if sent else 0).backwards()
    last = next((at for at in moments if type(_command(trace, at)) is command), 0)
    managers = [each for each in by_name(model.process_managers) if each in flow.senders_of(name)]
    senders = [each for manager in managers for each in _senders(trace, cursor, model, manager, name)]
    waiting = any(type(each) is command for each in trace[cursor].agenda)
    sentence, see = _not_sent(name, sent, last, managers, waiting=waiting)
    return NotSent(name, sentence, sent, tuple(senders), last or None, see)


def _command(trace: Trace, moment: int) -> Any:
    step = trace[moment].step
    return None if step is None else step.command


def _not_sent(name: str, sent: int, last: int, managers: list[str], *, waiting: bool) -> tuple[str, str]:
    if last:
        times = f"{plural(sent, 'time')}, the last one dispatched at step {last:,}"
        return f"{name} was sent: {times}", f"lab.why(lab.steps[{last - 1}])"
    if waiting:
        return f"{name} was sent, and is pending", "lab.why(lab.agenda.pending[0])"
    if not managers:
        return f"{name} was not sent: no process manager sends it", f"lab.send({name}(...))"
    return f"{name} was not sent; it could be sent by {' or '.join(managers)}", ""


def _senders(trace: Trace, cursor: int, model: Model, manager: str, command: str) -> list[Sender]:
    """The instances of a process manager, or what has to happen for the first one to start."""
    cls = model.process_manager(manager)
    found = {stored_name(event): paths(cls, "handle", event) for event in model.events}
    on: tuple[str, ...] = tuple(
        event
        for event, ways in found.items()
        if ways is not None and any(is_a(made, type) and stored_name(made) == command for made in ways.made())
    )
    if (manager, command) in possible(model).answers:
        on = (*on, "a rejection")
    running, _ = instances(trace, cursor, manager)
    if not running:
        return [Sender(manager, "", on, *_not_started(trace, cursor, model, manager))]
    rows = []
    for each in running:
        history = instance_history(trace, cursor, trace.index.lanes[each.lane].identity.stream_id)
        own = [sent for sent in history.sent if sent.pending.command_type == command]
        if own:
            rows.append(
                Sender(manager, each.stream_id, on, f"sent it at step {own[-1].sent:,}", own[-1].sent)
            )
            continue
        status = status_of(trace, cursor, model, manager, each)
        rows.append(Sender(manager, each.stream_id, on, status.sentence, status.since))
    return rows


def _not_started(trace: Trace, cursor: int, model: Model, manager: str) -> tuple[str, int | None]:
    """What starts a process manager, and the latest rejection of a command that would have led to it."""
    flow = flow_at(trace, cursor, model)
    starts = [e for e, of, verb in possible(model).reactions if of == manager and verb in ("start", "answer")]
    commands = {command for event in starts for command in flow.commands_for(event)}
    why = f"has not started: it waits for {' or '.join(starts) or 'an event that starts it'}"
    if commands:
        why += f", which {' or '.join(sorted(commands))} leads to"
    rejections = trace.index.rejections
    for at in islice(rejections.take(bisect_right(rejections, cursor)).backwards(), _MOST_REJECTIONS):
        step = trace[at].step
        if step is not None and step.pending.command_type in commands:
            reason = format_value(step.reason, 60)
            return f"{why}; {step.pending.command_type} was rejected at step {at:,} ({reason})", at
    return why, None
