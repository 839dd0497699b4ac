"""The status of one process manager instance: what it waits for, its marks on the graph, and a sentence.

An event is *overdue* when nothing can lead to it any more:

1. the instance waits for the event, and the commands that it sent last could lead to the event;
2. all these commands are done (accepted, rejected, or taken off the agenda), and none led to the event;
3. no pending command of the instance's cascades can still lead to the event, also not by way of other process
   managers;
4. no user and no other type of process manager sends a command that leads to the event.

So no clock is needed: the event is overdue from the step at which the last of those commands is done. An
instance that waits for a user, or for another process manager, waits however long it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from calamity_lab.errors import InvalidModel, Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.folding import Verb, identity_in
from calamity_lab.kernel.identity import Identity, by_name, stored_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.steps import AtProcessManager
from calamity_lab.model import Model
from calamity_lab.probe.possible import MessageFlow, awaited, message_flow, possible
from calamity_lab.text import format_value, plain_sentence, plural, point_in_time
from calamity_lab.trace.index import Lane
from calamity_lab.trace.trace import Trace
from calamity_lab.views.counters import LATER, EdgeKey, counters, edge_verb
from calamity_lab.views.counters import node as key_of
from calamity_lab.views.instances import InstanceHistory, SentCommand, instance_history, pending_at
from calamity_lab.views.looks import Status

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Expectation:
    """The event types that an instance waits for, which of them are overdue, and a sentence that says why."""

    events: tuple[str, ...] = ()
    overdue: frozenset[str] = frozenset()
    text: str = ""


def expectation(
    model: Model, flow: MessageFlow, run: Run, manager: str, id_: Any, history: InstanceHistory
) -> Expectation:
    """What a running instance waits for."""
    if manager not in by_name(model.process_managers):
        return Expectation()
    listens = awaited(model, manager, _typed(model, manager, id_))
    answered = {step.pending.command_id for step in history.reactions}
    pending = [s for s in history.sent if s.is_open and s.pending.command_id not in answered]
    if expected := _of(listens, flow.events_of(_types(pending))):
        return Expectation(expected, text=_named(expected) + _on_the_way(flow, expected, pending))
    missed = _missed(history)
    if expected := _of(listens, flow.events_of(_types(missed)) - _since(history)):
        return _missed_expectation(flow, run, manager, history, expected, missed)
    others = [event for event in listens if flow.others_for(event, manager)]
    deadlines = run.stack.deadlines.of(f"{manager}-{id_}")
    later = [event for event in _of(listens, flow.events_of(_names(deadlines))) if event not in others]
    if others or later:
        ways = [_named(others) + _by_others(flow, others, manager)] if others else []
        ways += [_named(later) + _when_due(flow, later, deadlines)] if later else []
        return Expectation((*others, *later), text="; or for ".join(ways))
    # Which commands the instance sent before the trace began is not known.
    known = ", and has sent nothing that leads to it" if history.reactions else ""
    return Expectation(listens, text=_named(listens) + known)


def _typed(model: Model, manager: str, id_: Any) -> Any:
    """The id of an instance in the type that its class takes; as a text if that type is not known."""
    try:
        return identity_in(model.process_manager(manager), f"{manager}-{id_}").id
    except InvalidModel:
        return id_


def _missed_expectation(
    flow: MessageFlow,
    run: Run,
    manager: str,
    history: InstanceHistory,
    events: tuple[str, ...],
    missed: Sequence[SentCommand],
) -> Expectation:
    """The expectation of events that the sent commands did not lead to."""
    reached = _still_reached(flow, run, history)
    late = [e for e in events if e not in reached and not flow.others_for(e, manager)]
    why = "; ".join(_what_came_of(each) for each in _leading(flow, missed, events)[:_MOST_NAMED])
    if late:
        verb = "is" if len(late) == 1 else "are"
        return Expectation(
            events,
            frozenset(late),
            f"{_named(events)}, which {verb} overdue: {why}, and nothing else leads to it",
        )
    return Expectation(events, text=f"{_named(events)}{_by_others(flow, events, manager)} ({why})")


def _names(pending: Iterable[Pending]) -> set[str]:
    return {each.command_type for each in pending}


def _when_due(flow: MessageFlow, events: Sequence[str], deadlines: Iterable[Pending]) -> str:
    """When the first deadline is due that leads to one of the events."""
    leading = [each for each in deadlines if {*events} & flow.events_of([each.command_type])]
    when, name = min((each.due_at, str(each.deadline)) for each in leading if each.due_at)
    return f": {plain_sentence(name, 60)} is due at {point_in_time(when)}"


def _types(sent: Iterable[SentCommand]) -> set[str]:
    return {each.pending.command_type for each in sent}


def _of(listens: tuple[str, ...], events: set[str]) -> tuple[str, ...]:
    return tuple(event for event in listens if event in events)


def _missed(history: InstanceHistory) -> list[SentCommand]:
    """The commands sent last that are done and led to nothing that the instance reacted to."""
    brought = {s.pending.command_id for s in history.reactions if not isinstance(s.trigger, Rejected)}
    return [e for e in history.sent_last if not e.is_open and e.pending.command_id not in brought]


def _since(history: InstanceHistory) -> set[str]:
    """The events that the instance reacted to since it last sent commands: others caused them."""
    last = history.sent[-1].sent if history.sent else 0
    later = (step.trigger for step in history.reactions if step.index > last)
    return {trigger.event_type for trigger in later if not isinstance(trigger, Rejected)}


def _still_reached(flow: MessageFlow, run: Run, history: InstanceHistory) -> set[str]:
    """The events that the pending commands of the instance's cascades may still lead to."""
    begun = [] if run.progress is None else [run.progress.pending]
    cascades = history.cascades
    last = history.reactions[-1] if history.reactions else None
    own = () if last is None else run.stack.deadlines.of(last.identity)
    types = {e.command_type for e in [*begun, *pending_at(run), *own] if e.correlation_id in cascades}
    return {event for command in types for event in flow.reached_by(command)}


def _leading(flow: MessageFlow, sent: Sequence[SentCommand], events: Iterable[str]) -> list[SentCommand]:
    wanted = set(events)
    return [each for each in sent if wanted & flow.events_of([each.pending.command_type])]


def _named(names: Sequence[str]) -> str:
    """Some names, as in ``"FundsDeposited or FundsRefunded"``."""
    if len(names) <= _MOST_NAMED:
        return " or ".join(names)
    return f"{', '.join(names[: _MOST_NAMED - 1])} or one of {len(names) - _MOST_NAMED + 1} others"


def _on_the_way(flow: MessageFlow, events: tuple[str, ...], pending: Sequence[SentCommand]) -> str:
    leading = _leading(flow, pending, events)
    is_decided = all(each.outcome == "accepted" for each in leading)
    names = _named(list(dict.fromkeys(each.pending.command_type for each in leading)))
    text = f": {names} {'was just accepted' if is_decided else 'is on its way'}"
    answered = next((each.answers for each in leading if each.answers is not None), None)
    if answered is None:
        return text
    rejected = stored_name(type(answered.command))
    return f"{text}, sent because {rejected} was rejected ({format_value(answered.reason, 60)})"


def _by_others(flow: MessageFlow, events: Sequence[str], manager: str) -> str:
    """Who else causes the events: users, or other process managers."""
    commands = list(dict.fromkeys(c for event in events for c in flow.others_for(event, manager)))
    outside = [command for command in commands if not flow.senders_of(command)]
    senders = sorted({sender for command in commands for sender in flow.senders_of(command)})
    who, what = ("a user", outside) if outside else (_named(senders), commands)
    return f": {who} has to send {_named(what)}"


def _what_came_of(each: SentCommand) -> str:
    name, step = each.pending.command_type, each.decision
    match each.outcome:
        case "rejected":
            reason = getattr(step, "reason", "")
            return f"{name} was rejected at step {_at(each)}" + (
                f" ({format_value(reason, 60)})" if reason else ""
            )
        case "accepted":
            return f"{name} was accepted at step {_at(each)} and did not lead to it"
        case "dropped":
            return f"{name} was taken off the agenda"
    return f"{name} was sent at step {each.sent:,}"


def _at(each: SentCommand) -> str:
    return f"{each.decision.index:,}" if each.decision is not None else "0"


@dataclass(frozen=True, slots=True)
class StatusMark:
    """The status of a node or an edge for the instance: ``key`` is a node's, or an edge's (see `edge_key`).

    ``times`` counts how often the instance used it, and ``note`` says what came of it last. ``instead`` marks
    a command that was sent because another was rejected.
    """

    key: str
    status: Status
    times: int
    note: str
    instead: bool = False


def edge_key(edge: EdgeKey) -> str:
    """An edge's key as one text."""
    return " ".join(edge)


class _StatusMarks:
    """The marks collected so far, by key; the latest wins, and of two at one moment the second."""

    def __init__(self, edges: Iterable[EdgeKey]) -> None:
        self.edges = frozenset(edges)
        self.nodes = {key for source, target, _ in self.edges for key in (source, target)}
        self.found: dict[str, StatusMark] = {}
        self._moments: dict[str, int] = {}

    def put(
        self,
        at: int,
        key: str | EdgeKey,
        status: Status,
        note: str,
        *,
        times: int = 1,
        instead: bool = False,
    ) -> None:
        """Set the mark of a node or an edge from a moment on; skip what the graph does not show."""
        if key not in (self.nodes if isinstance(key, str) else self.edges):
            return
        name = key if isinstance(key, str) else edge_key(key)
        note = plain_sentence(note)  # a reason may hold what turns the direction of a text
        before = self.found.get(name)
        times += 0 if before is None else before.times
        if before is not None and at < self._moments[name]:
            self.found[name] = replace(before, times=times)
            return
        self._moments[name] = at
        self.found[name] = StatusMark(name, status, times, note, instead)


def marks_of(
    model: Model,
    identity: Identity,
    found: InstanceHistory,
    waits: Expectation,
    last: AtProcessManager | None,
    edges: Sequence[EdgeKey],
) -> tuple[StatusMark, ...]:
    """The marks of an instance on a graph with those edges; ``last`` is its latest reaction."""
    marks = _StatusMarks(edges)
    manager = key_of("process manager", identity.category)
    own = {each.pending.command_id for each in found.sent}
    for step in found.reactions:
        _mark_taken_in(marks, manager, step, own)
    targets = dict(possible(model).targets)
    for each in _weightiest_last(found.sent):
        _mark_sent(marks, manager, each, targets)
    _mark_awaited(marks, manager, waits)
    state: Status = "done" if _has_stopped(last) else "overdue" if waits.overdue else "waiting"
    marks.put(_NOW, manager, state, format_value(identity.stream_id, 80), times=len(found.reactions))
    return tuple(marks.found.values())


def _has_stopped(last: AtProcessManager | None) -> bool:
    """Whether an instance has stopped, given its latest reaction."""
    return last is not None and last.verb == Verb.STOPPED


# Later than any moment: what an instance waits for hides what it reacted to before.
_NOW = 2**62


def _mark_taken_in(marks: _StatusMarks, manager: str, step: AtProcessManager, own: set[str]) -> None:
    """What led to a reaction: the event, the aggregate that recorded it, and the command before it."""
    trigger, at = step.trigger, step.index
    if isinstance(trigger, Rejected):
        return
    name, stream_id = trigger.event_type, format_value(trigger.stream_id, 60)
    event = key_of("event", name)
    aggregate = key_of("aggregate", Identity.parse(trigger.stream_id).category)
    command = key_of("command", step.pending.command_type)
    verb = edge_verb(step)
    marks.put(at, event, "done", f"taken in at step {at:,}")
    marks.put(at, (event, manager, verb), "done", f"at step {at:,}")
    marks.put(at, (aggregate, event, "records"), "done", f"in {stream_id}")
    if step.pending.command_id not in own:
        marks.put(at, command, "done", f"led to {name}")
        marks.put(at, (command, aggregate, "to"), "done", f"led to {name}")
        marks.put(at, aggregate, "done", f"{stream_id} recorded {name}")


_STATUSES: dict[str, Status] = {
    "unknown": "done",
    "accepted": "done",
    "dropped": "dropped",
    "rejected": "rejected",
    "in flight": "in flight",
}


def _weightiest_last(sent: Sequence[SentCommand]) -> list[SentCommand]:
    """The commands in order of sending; those sent together by weight, open ones last."""
    weights = list(_STATUSES)
    return sorted(sent, key=lambda each: (each.sent, weights.index(each.outcome)))


def _mark_sent(marks: _StatusMarks, manager: str, each: SentCommand, targets: dict[str, str]) -> None:
    """Mark what became of a sent command: its node, its edges, and the node of the aggregate."""
    name, at, note = each.pending.command_type, each.sent, _outcome(each)
    command, state = key_of("command", name), _STATUSES[each.outcome]
    category = targets.get(name, "") if each.identity is None else each.identity.category
    aggregate = key_of("aggregate", category)
    label = LATER if each.pending.due_at else "sends" if each.answers is None else "if rejected"
    instead = each.answers is not None
    marks.put(at, command, state, note, instead=instead)
    on_edge: Status = "in flight" if state == "in flight" else "done"
    marks.put(at, (manager, command, label), on_edge, note, instead=instead)
    marks.put(at, (command, aggregate, "to"), state, note, instead=instead)
    if each.decision is not None and each.identity is not None:
        answered: Status = "rejected" if each.decision.rejected is not None else "done"
        verb = "rejected" if answered == "rejected" else "accepted"
        marks.put(
            each.decision.index,
            aggregate,
            answered,
            f"{format_value(each.identity.stream_id, 60)} {verb} {name}",
        )


def _outcome(each: SentCommand) -> str:
    """What became of a command, in words."""
    answers = each.answers
    because = "" if answers is None else f" because {stored_name(type(answers.command))} was rejected"
    verb = "sent" if each.pending.due_at is None else "set for later"
    sent = f"{verb} at step {each.sent:,}{because}"
    match each.outcome:
        case "in flight":
            return f"{sent}, still to be decided"
        case "rejected":
            return f"{sent}, rejected: {format_value(getattr(each.decision, 'reason', ''), 80)}"
        case "dropped":
            return f"{sent}, taken off the agenda"
        case "accepted":
            return f"{sent}, accepted"
    return sent


def _mark_awaited(marks: _StatusMarks, manager: str, waits: Expectation) -> None:
    for name in waits.events:
        event = key_of("event", name)
        state: Status = "overdue" if name in waits.overdue else "waited for"
        into = {edge for edge in marks.edges if edge[0] == event and edge[1] == manager}
        on = {edge for edge in into if edge[2] != "start"} or into
        records = {edge for edge in marks.edges if edge[1] == event and edge[2] == "records"}
        marks.put(_NOW, event, state, "", times=0)
        for edge in sorted(on | records):
            marks.put(_NOW, edge, state, "", times=0)


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """The status of an instance: its marks, a sentence, and since when it has done nothing.

    ``since`` is the moment at which it did something last (None: not in this trace), ``then`` the time of the
    latest event at that moment, in seconds since 1970.
    """

    marks: tuple[StatusMark, ...] = ()
    sentence: str = ""
    since: int | None = None
    then: float | None = None
    overdue: bool = False


def time_at(trace: Trace, moment: int) -> float | None:
    """When the latest event at a moment was recorded, in seconds since 1970; None before the first."""
    count = trace.index.events_at(moment)
    return trace.index.events[count - 1].recorded_at.timestamp() if count else None


_SPANS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def spell(seconds: float) -> str:
    """A length of time by its largest unit, as in "3 hours"; nothing for less than a second."""
    found = next(((unit, length) for unit, length in _SPANS if seconds >= length), None)
    return "" if found is None else plural(int(seconds // found[1]), found[0])


_FLOWS = Slot[MessageFlow](most=64)


def flow_at(trace: Trace, cursor: int, model: Model) -> MessageFlow:
    """What leads to what, given what was observed up to the cursor."""
    counts = counters(trace, cursor).counts

    def flow() -> MessageFlow:
        return message_flow(model, [key for key in counts if isinstance(key, tuple)])

    return trace.memo.once(_FLOWS, flow, counts, model, key=possible(model).asked)


def instance_status(
    trace: Trace, cursor: int, model: Model, lane: Lane, *, stage: str, edges: Sequence[EdgeKey]
) -> InstanceStatus:
    """The status of the instance of a lane at the cursor, on a graph with those edges."""
    stream_id = lane.identity.stream_id
    found = instance_history(trace, cursor, stream_id)
    last = found.reactions[-1] if found.reactions else None
    is_alive = trace[cursor].stack.process_managers.get(stream_id) is not None
    waits = Expectation()
    if is_alive:
        flow = flow_at(trace, cursor, model)
        waits = expectation(model, flow, trace[cursor].run, lane.identity.category, lane.identity.id, found)
    since = None if last is None else last.index
    return InstanceStatus(
        marks_of(model, lane.identity, found, waits, last, edges),
        _sentence(lane.identity, stage, last, waits),
        since,
        None if since is None else time_at(trace, since),
        bool(waits.overdue),
    )


def _sentence(identity: Identity, stage: str, last: AtProcessManager | None, waits: Expectation) -> str:
    name = format_value(identity.stream_id, 80)
    if _has_stopped(last) or not (waits.events or stage):
        return plain_sentence(f"{name}: {stage or 'stopped'}")
    parts = [f"“{stage}”" if stage else "", f"waits for {waits.text}" if waits.events else ""]
    return plain_sentence(f"{name}: {', '.join(part for part in parts if part)}")
