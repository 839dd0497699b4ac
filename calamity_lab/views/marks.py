"""What each node and edge of the process graph is to one instance of a process manager."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from calamity_lab.errors import Rejected
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.steps import AtProcessManager, Refused, Stopped
from calamity_lab.model import Model
from calamity_lab.text import format_value, plain_sentence
from calamity_lab.views.awaiting import Awaiting
from calamity_lab.views.life import Life, Sent
from calamity_lab.views.possible import possible
from calamity_lab.views.tally import EdgeKey
from calamity_lab.views.tally import node as key_of

Standing = Literal["done", "in flight", "refused", "dropped", "waited for", "waiting", "overdue"]
"""What a node or an edge is to an instance; what it has not reached has no standing.

``done``: it took that event in, sent that command and it was accepted, that aggregate answered it; or the
instance has stopped. ``in flight``: it sent the command, which is still to be decided. ``refused``: the
command was refused; ``dropped``: taken off the agenda. ``waited for``: the events that would go on with it,
``overdue`` where they will not come (see `awaiting`); ``waiting``: the process manager itself, meanwhile.
"""

WORDS: Mapping[Standing, str] = {
    "done": "done",
    "in flight": "on its way",
    "refused": "refused",
    "dropped": "taken back",
    "waited for": "waited for",
    "waiting": "waits",
    "overdue": "overdue",
}
"""What is written beside the mark of a standing."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a node or an edge is to the instance: ``key`` is a node's, or an edge's (see `edge_key`).

    ``times`` counts how often the instance had to do with it; ``told`` says what came of it last, and
    ``instead`` that it makes good a refusal: a command sent because another was refused.
    """

    key: str
    standing: Standing
    times: int
    told: str
    instead: bool = False


def edge_key(edge: EdgeKey) -> str:
    """An edge's key as one text."""
    return " ".join(edge)


class _Marks:
    """Marks as they are gathered, by key; the latest stands, and of two as late the second."""

    def __init__(self, edges: Iterable[EdgeKey]) -> None:
        self.edges = frozenset(edges)
        self.nodes = {key for source, target, _ in self.edges for key in (source, target)}
        self.found: dict[str, Mark] = {}
        self._moments: dict[str, int] = {}

    def put(
        self,
        at: int,
        key: str | EdgeKey,
        standing: Standing,
        told: str,
        *,
        times: int = 1,
        instead: bool = False,
    ) -> None:
        """Note what a node or an edge is since a moment; what the graph does not show is passed over."""
        if key not in (self.nodes if isinstance(key, str) else self.edges):
            return
        name = key if isinstance(key, str) else edge_key(key)
        told = plain_sentence(told)  # a reason may hold what turns the direction of a text
        before = self.found.get(name)
        times += 0 if before is None else before.times
        if before is not None and at < self._moments[name]:
            self.found[name] = replace(before, times=times)
            return
        self._moments[name] = at
        self.found[name] = Mark(name, standing, times, told, instead)


def marks_of(
    model: Model,
    identity: Identity,
    found: Life,
    waits: Awaiting,
    last: AtProcessManager | None,
    edges: Sequence[EdgeKey],
) -> tuple[Mark, ...]:
    """The marks of an instance on a graph with those edges; ``last`` is its latest reaction."""
    marks = _Marks(edges)
    manager = key_of("process manager", identity.category)
    own = {each.pending.command_id for each in found.sent}
    for step in found.reactions:
        _mark_taken_in(marks, manager, step, own)
    targets = dict(possible(model).targets)
    for each in _weightiest_last(found.sent):
        _mark_sent(marks, manager, each, targets)
    _mark_awaited(marks, manager, waits)
    state: Standing = "done" if isinstance(last, Stopped) else "overdue" if waits.overdue else "waiting"
    marks.put(_NOW, manager, state, format_value(identity.stream_id, 80), times=len(found.reactions))
    return tuple(marks.found.values())


# Later than any moment: what an instance waits for stands over what it took in before.
_NOW = 2**62


def _mark_taken_in(marks: _Marks, manager: str, step: AtProcessManager, own: set[str]) -> None:
    """What led to a reaction: the event, the aggregate that recorded it, and the command before it."""
    trigger, at = step.trigger, step.index
    if isinstance(trigger, Rejected):
        return
    name, stream_id = trigger.event_type, format_value(trigger.stream_id, 60)
    event = key_of("event", name)
    aggregate = key_of("aggregate", Identity.parse(trigger.stream_id).category)
    command = key_of("command", step.pending.command_type)
    verb = {"Started": "start", "Continued": "continue"}.get(step.kind, "stop")
    marks.put(at, event, "done", f"taken in at step {at:,}")
    marks.put(at, (event, manager, verb), "done", f"at step {at:,}")
    marks.put(at, (aggregate, event, "records"), "done", f"in {stream_id}")
    if step.pending.command_id not in own:
        marks.put(at, command, "done", f"led to {name}")
        marks.put(at, (command, aggregate, "to"), "done", f"led to {name}")
        marks.put(at, aggregate, "done", f"{stream_id} recorded {name}")


_STANDINGS: dict[str, Standing] = {
    "unknown": "done",
    "accepted": "done",
    "dropped": "dropped",
    "refused": "refused",
    "in flight": "in flight",
}


def _weightiest_last(sent: Sequence[Sent]) -> list[Sent]:
    """In order of sending; of what was sent together what is still open stands, then what was refused."""
    weights = list(_STANDINGS)
    return sorted(sent, key=lambda each: (each.sent, weights.index(each.outcome)))


def _mark_sent(marks: _Marks, manager: str, each: Sent, targets: dict[str, str]) -> None:
    """What became of a command that the instance sent: on its node, its edges, and the aggregate's node."""
    name, at, told = each.pending.command_type, each.sent, _outcome(each)
    command, state = key_of("command", name), _STANDINGS[each.outcome]
    category = targets.get(name, "") if each.identity is None else each.identity.category
    aggregate = key_of("aggregate", category)
    label = "sends" if each.answers is None else "if refused"
    instead = each.answers is not None
    marks.put(at, command, state, told, instead=instead)
    on_edge: Standing = "in flight" if state == "in flight" else "done"
    marks.put(at, (manager, command, label), on_edge, told, instead=instead)
    marks.put(at, (command, aggregate, "to"), state, told, instead=instead)
    if each.decision is not None and each.identity is not None:
        answered: Standing = "refused" if isinstance(each.decision, Refused) else "done"
        verb = "refused" if answered == "refused" else "accepted"
        marks.put(
            each.decision.index,
            aggregate,
            answered,
            f"{format_value(each.identity.stream_id, 60)} {verb} {name}",
        )


def _outcome(each: Sent) -> str:
    """What became of a command, in words."""
    because = "" if each.answers is None else f" because {type(each.answers.command).__name__} was refused"
    sent = f"sent at step {each.sent:,}{because}"
    match each.outcome:
        case "in flight":
            return f"{sent}, still to be decided"
        case "refused":
            return f"{sent}, refused: {format_value(getattr(each.decision, 'reason', ''), 80)}"
        case "dropped":
            return f"{sent}, taken off the agenda"
        case "accepted":
            return f"{sent}, accepted"
    return sent


def _mark_awaited(marks: _Marks, manager: str, waits: Awaiting) -> None:
    for name in waits.events:
        event = key_of("event", name)
        state: Standing = "overdue" if name in waits.overdue else "waited for"
        into = {edge for edge in marks.edges if edge[0] == event and edge[1] == manager}
        on = {edge for edge in into if edge[2] != "start"} or into
        records = {edge for edge in marks.edges if edge[1] == event and edge[2] == "records"}
        marks.put(_NOW, event, state, "", times=0)
        for edge in sorted(on | records):
            marks.put(_NOW, edge, state, "", times=0)
