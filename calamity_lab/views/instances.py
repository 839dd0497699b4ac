"""The instances of a process manager: how far each has come, and the history of one.

A history has what an instance reacted to, what it sent, and what became of these commands.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Literal, NamedTuple

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import is_a
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.progress import Appending, Executing, Populating
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.schema import fields_of
from calamity_lab.kernel.steps import (
    AtProcessManager,
    Dispatched,
    Step,
)
from calamity_lab.text import format_value
from calamity_lab.trace.trace import Trace
from calamity_lab.views.counters import InstanceStart, counters

MOST_REACTIONS = 200
"""At most this many reactions of an instance are read, the latest ones."""

MOST_DISPATCHED = 600
"""Search at most this many commands of the cascades of an instance for those that it sent."""

MOST_PENDING = 500
"""Search at most this many pending commands; caused commands are at the front of the agenda."""

Outcome = Literal["in flight", "accepted", "rejected", "dropped", "unknown"]


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command that an instance sent at the moment ``sent``, and what became of it.

    ``is_open``: the command is not completed yet. ``decision`` is the step at which the aggregate
    ``identity`` accepted or rejected it. ``answers`` is the rejection that the command compensates, if any.
    """

    pending: Pending
    sent: int
    answers: Rejected | None
    outcome: Outcome
    is_open: bool = False
    identity: Identity | None = None
    decision: Step | None = None


@dataclass(frozen=True, slots=True)
class InstanceHistory:
    """What an instance did since it last started, oldest first, up to `MOST_REACTIONS`."""

    reactions: tuple[AtProcessManager, ...] = ()
    sent: tuple[SentCommand, ...] = ()

    @property
    def sent_last(self) -> tuple[SentCommand, ...]:
        """The commands of the latest reaction that sent any."""
        last = self.sent[-1].sent if self.sent else 0
        return tuple([each for each in self.sent if each.sent == last])

    @property
    def cascades(self) -> set[str]:
        """The correlation ids of the cascades that the instance takes part in."""
        found = {step.pending.correlation_id for step in self.reactions}
        return found | {each.pending.correlation_id for each in self.sent}


class _Order(NamedTuple):
    """A command that was sent, the moment, and the rejection that it answers."""

    pending: Pending
    sent: int
    answers: Rejected | None


def instance_history(trace: Trace, cursor: int, stream_id: str) -> InstanceHistory:
    """The history of the instance with that stream id. The cost grows with what this instance did alone."""
    reactions = tuple(list(_reactions(trace, cursor, stream_id))[::-1])
    orders = [*_outstanding(trace, stream_id, reactions), *_orders(reactions)]
    waiting = {each.command_id for each in pending_at(trace[cursor].run)}
    sought = [order for order in orders if order.pending.command_id not in waiting]
    found, is_complete = _dispatched(trace, cursor, sought)
    # A deadline is sent once it is due.
    there = {*found, *waiting}
    orders = [each for each in orders if each.pending.due_at is None or each.pending.command_id in there]
    missing: Outcome = "dropped" if is_complete else "unknown"

    def sent(order: _Order) -> SentCommand:
        start = found.get(order.pending.command_id)
        if start is not None:
            return _decided(trace, cursor, order, start)
        is_open = order.pending.command_id in waiting
        return SentCommand(*order, "in flight" if is_open else missing, is_open)

    return InstanceHistory(reactions, tuple(map(sent, orders)))


def pending_at(run: Run) -> list[Pending]:
    """The pending commands without the one in progress, at most `MOST_PENDING`."""
    return list(islice(run.agenda.entries(), MOST_PENDING))


def _reactions(trace: Trace, cursor: int, stream_id: str) -> Iterator[AtProcessManager]:
    """The reactions since it was last started, the latest first."""
    moments = trace.index.reactions.get(stream_id, ())
    upto = bisect_right(moments, cursor)
    is_first = True
    for number in range(upto - 1, max(upto - MOST_REACTIONS, 0) - 1, -1):
        step = trace[moments[number]].step
        if not isinstance(step, AtProcessManager) or not Verb(step.verb).changes:
            continue
        if step.verb == Verb.STOPPED and not is_first:
            return  # the instance that had this id before
        yield step
        if step.verb == Verb.STARTED:
            return
        is_first = False


def _orders(reactions: Sequence[AtProcessManager]) -> Iterator[_Order]:
    for step in reactions:
        rejection = step.trigger if isinstance(step.trigger, Rejected) else None
        given = (*step.commands, *step.deadlines)
        yield from [_Order(pending, step.index, rejection) for pending in given]


def _outstanding(trace: Trace, stream_id: str, reactions: Sequence[AtProcessManager]) -> Iterator[_Order]:
    """The outstanding commands: those that the instance sent before the trace began."""
    if reactions and reactions[0].verb == Verb.STARTED:
        return
    run = trace[0].run
    begun = [] if run.progress is None else [run.progress.pending]
    for pending in [*begun, *pending_at(run)]:
        if pending.sender is not None and pending.sender.stream_id == stream_id:
            yield _Order(pending, 0, None)


def _dispatched(trace: Trace, cursor: int, orders: Sequence[_Order]) -> tuple[dict[str, int], bool]:
    """The moment at which each command was dispatched, by id, and whether the search was complete."""
    found: dict[str, int] = {}
    budget = MOST_DISPATCHED
    begun = trace[0].run.progress
    for cascade in dict.fromkeys(order.pending.correlation_id for order in orders):
        sought = {o.pending.command_id: o.sent for o in orders if o.pending.correlation_id == cascade}
        if begun is not None and sought.pop(begun.pending.command_id, None) is not None:
            found[begun.pending.command_id] = 0
        moments = trace.index.cascades.get(cascade, ())
        number = bisect_right(moments, min(sought.values(), default=cursor))
        while sought and number < len(moments) and moments[number] <= cursor:
            if not budget:
                return found, False
            step = trace[moments[number]].step
            if step is not None and sought.pop(step.pending.command_id, None) is not None:
                found[step.pending.command_id] = moments[number]
            number, budget = number + 1, budget - 1
    return found, len(trace[cursor].agenda) <= MOST_PENDING


def _decided(trace: Trace, cursor: int, order: _Order, start: int) -> SentCommand:
    """What came of a command that was dispatched at a moment."""
    moment = trace[min(trace.command_end(start), cursor)]
    step, progress = trace[start].step, moment.run.progress
    identity = None if step is None else step.subject
    is_open = progress is not None
    if isinstance(progress, (Dispatched, Populating, Executing, Appending)):
        return SentCommand(*order, "in flight", is_open, identity)
    outcome: Outcome = (
        "rejected" if moment.decision is not None and moment.decision.rejected is not None else "accepted"
    )
    return SentCommand(*order, outcome, is_open, identity, moment.decision)


MOST = 50
"""At most this many instances are listed, the newest ones."""

# An instance that is started many times is listed once; at most this many of its starts are skipped.
_MOST_PASSED = 500
_INSTANCES = Slot["Instance"](most=1_024)
_STAGES = ("stage", "status", "state", "phase", "step")


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance and its stage.

    ``running``: a command that it sent is still to be done; ``waiting``: it waits for an event;
    ``stopped``: it is gone. ``started`` is the moment at which it was last started (or first met,
    where a history started it); ``lane`` is its place among the lanes of the trace's index.
    """

    id: str
    stream_id: str
    stage: str
    status: Literal["running", "stopped", "waiting"]
    started: int
    lane: int


def instances(
    trace: Trace, cursor: int, manager: str, wanted: str | None = None
) -> tuple[tuple[Instance, ...], str | None]:
    """The newest instances of a process manager at the cursor, and the id of the chosen one.

    ``wanted`` is an id, or a stream id. Without it the instance is chosen that the step is about, else the
    newest that has not stopped.
    """
    total = counters(trace, cursor)
    begun = list(islice(_newest(total.instances.get(manager)), MOST))
    at_work = _at_work(trace, cursor)
    extra = _wanted(trace, cursor, manager, wanted)
    if extra is not None and all(each.lane != extra.lane for each in begun):
        begun.append(extra)
    found = tuple(_instance(trace, cursor, each, total.living, at_work) for each in begun)
    return found, _chosen(trace, cursor, manager, found, wanted)


def about(step: Step | None) -> tuple[str, ...]:
    """The stream ids of the instances that a step concerns: who reacted, and who sent the command."""
    found = [step.identity] if isinstance(step, AtProcessManager) else []
    if step is not None and step.pending.sender is not None:
        found.append(step.pending.sender)
    return tuple(dict.fromkeys(identity.stream_id for identity in found))


def _newest(begun: Any) -> Iterator[InstanceStart]:
    """Each instance once, at its latest start."""
    seen: set[int] = set()
    for each in islice(reversed(begun or ()), _MOST_PASSED):
        if each.lane not in seen:
            seen.add(each.lane)
            yield each


def _wanted(trace: Trace, cursor: int, manager: str, wanted: str | None) -> InstanceStart | None:
    """The wanted instance, if it is known at the cursor."""
    if wanted is None:
        return None
    index = trace.index
    for stream_id in (wanted, f"{manager}-{wanted}"):
        number = index.lane_numbers.get(stream_id)
        if number is not None:
            lane = index.lanes[number]
            if lane.kind == "process manager" and lane.identity.category == manager and lane.since <= cursor:
                return InstanceStart(number, lane.since)
    return None


def _chosen(
    trace: Trace, cursor: int, manager: str, found: tuple[Instance, ...], wanted: str | None
) -> str | None:
    known = {each.stream_id: each.id for each in found}
    concerned = [wanted or "", f"{manager}-{wanted}", *about(trace[cursor].step)]
    concerned += [each.stream_id for each in found if each.status != "stopped"]
    concerned += [each.stream_id for each in found[:1]]
    return next((known[format_value(each)] for each in concerned if format_value(each) in known), None)


def _at_work(trace: Trace, cursor: int) -> set[str]:
    """The stream ids of the instances with commands that are pending or in progress."""
    run = trace[cursor].run
    pending = pending_at(run)
    if run.progress is not None:
        pending.append(run.progress.pending)
    return {each.sender.stream_id for each in pending if each.sender is not None}


def _instance(trace: Trace, cursor: int, begun: InstanceStart, living: int, at_work: set[str]) -> Instance:
    lane = trace.index.lanes[begun.lane]
    stream_id, id_ = lane.identity.stream_id, lane.identity.id
    last = _last_step(trace, cursor, stream_id)
    alive = bool(living >> begun.lane & 1)
    status: Literal["running", "stopped", "waiting"] = "stopped"
    if alive:
        status = "running" if stream_id in at_work else "waiting"
    state = trace[cursor].stack.process_managers.get(stream_id)
    return trace.memo.once(
        _INSTANCES,
        lambda: Instance(
            id=format_value(id_),
            stream_id=format_value(stream_id),
            stage=_stage(state, last),
            status=status,
            started=begun.moment,
            lane=begun.lane,
        ),
        lane,
        state,
        last,
        key=(begun, status),
    )


def _last_step(trace: Trace, cursor: int, stream_id: str) -> AtProcessManager | None:
    """The instance's latest reaction up to the cursor."""
    moments = trace.index.reactions.get(stream_id, ())
    number = bisect_right(moments, cursor)
    step = trace[moments[number - 1]].step if number else None
    return step if isinstance(step, AtProcessManager) else None


def _stage(state: Any, last: AtProcessManager | None) -> str:
    """The stage of an instance, in the model's own words if it has any."""
    if state is None:
        return "" if last is None else f"stopped by {_trigger(last)}"
    fields = fields_of(state)
    for name in _STAGES:
        if name in fields:
            return format_value(fields[name], 60)
    for value in fields.values():
        if is_a(value, Enum):
            return format_value(value, 60)
    return "" if last is None else f"after {_trigger(last)}"


def _trigger(step: AtProcessManager) -> str:
    if isinstance(step.trigger, Rejected):
        return f"{step.pending.command_type} was rejected"
    return step.trigger.event_type
