"""The life of a process manager instance: what it took in, what it sent, and what became of that."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.progress import Appending, Executing, Populating
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.steps import (
    AtAggregate,
    AtProcessManager,
    Dispatched,
    Ignored,
    Refused,
    Started,
    Step,
    Stopped,
)
from calamity_lab.trace.trace import Trace
from calamity_lab.views.cascade import last_moment

MOST_REACTIONS = 200
"""So many reactions of an instance are looked at, the latest."""

MOST_DISPATCHED = 600
"""Among so many commands of its cascades those are looked for that it sent."""

MOST_PENDING = 500
"""So many entries of the agenda are looked at; what was caused lies in front."""

Outcome = Literal["in flight", "accepted", "refused", "dropped", "unknown"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that an instance sent at the moment ``sent``, and what became of it.

    ``is_open`` tells that it is still to be done to its end. ``decision`` is the step at which the aggregate
    ``identity`` accepted or refused it. ``answers`` is the refusal that it makes good, where it does.
    """

    pending: Pending
    sent: int
    answers: Rejected | None
    outcome: Outcome
    is_open: bool = False
    identity: Identity | None = None
    decision: Step | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """What an instance did since it was last started, oldest first, as far back as is looked."""

    reactions: tuple[AtProcessManager, ...] = ()
    sent: tuple[Sent, ...] = ()

    @property
    def sent_last(self) -> tuple[Sent, ...]:
        """The commands that it sent last, together."""
        last = self.sent[-1].sent if self.sent else 0
        return tuple([each for each in self.sent if each.sent == last])

    @property
    def cascades(self) -> set[str]:
        """The correlation ids of all that it takes part in."""
        found = {step.pending.correlation_id for step in self.reactions}
        return found | {each.pending.correlation_id for each in self.sent}


class _Order(NamedTuple):
    """A command that was sent, when, and which refusal it answers."""

    pending: Pending
    sent: int
    answers: Rejected | None


def life(trace: Trace, cursor: int, stream_id: str) -> Life:
    """The life of the instance with that stream id; it costs what that one did, not what others do."""
    reactions = tuple(list(_reactions(trace, cursor, stream_id))[::-1])
    orders = [*_owed(trace, stream_id, reactions), *_orders(reactions)]
    waiting = {each.command_id for each in pending_at(trace[cursor].run)}
    sought = [order for order in orders if order.pending.command_id not in waiting]
    found, is_complete = _dispatched(trace, cursor, sought)
    missing: Outcome = "dropped" if is_complete else "unknown"

    def sent(order: _Order) -> Sent:
        start = found.get(order.pending.command_id)
        if start is not None:
            return _decided(trace, cursor, order, start)
        is_open = order.pending.command_id in waiting
        return Sent(*order, "in flight" if is_open else missing, is_open)

    return Life(reactions, tuple(map(sent, orders)))


def pending_at(run: Run) -> list[Pending]:
    """What is pending, without what is in progress; of a long agenda the front."""
    return list(islice(run.agenda.entries(), MOST_PENDING))


def _reactions(trace: Trace, cursor: int, stream_id: str) -> Iterator[AtProcessManager]:
    """The reactions since it was last started, the latest first."""
    moments = trace.index.reactions.get(stream_id, ())
    upto = bisect_right(moments, cursor)
    is_first = True
    for place in range(upto - 1, max(upto - MOST_REACTIONS, 0) - 1, -1):
        step = trace[moments[place]].step
        if not isinstance(step, AtProcessManager) or isinstance(step, Ignored):
            continue
        if isinstance(step, Stopped) and not is_first:
            return  # that was the life before
        yield step
        if isinstance(step, Started):
            return
        is_first = False


def _orders(reactions: Sequence[AtProcessManager]) -> Iterator[_Order]:
    for step in reactions:
        refusal = step.trigger if isinstance(step.trigger, Rejected) else None
        yield from [_Order(pending, step.index, refusal) for pending in step.commands]


def _owed(trace: Trace, stream_id: str, reactions: Sequence[AtProcessManager]) -> Iterator[_Order]:
    """What it had sent before the trace began and is still to be done then."""
    if reactions and isinstance(reactions[0], Started):
        return
    run = trace[0].run
    begun = [] if run.progress is None else [run.progress.pending]
    for pending in [*begun, *pending_at(run)]:
        if pending.sender is not None and pending.sender.stream_id == stream_id:
            yield _Order(pending, 0, None)


def _dispatched(trace: Trace, cursor: int, orders: Sequence[_Order]) -> tuple[dict[str, int], bool]:
    """When each command was dispatched, by its id, and whether no other can have been."""
    found: dict[str, int] = {}
    budget = MOST_DISPATCHED
    begun = trace[0].run.progress
    for cascade in dict.fromkeys(order.pending.correlation_id for order in orders):
        sought = {o.pending.command_id: o.sent for o in orders if o.pending.correlation_id == cascade}
        if begun is not None and sought.pop(begun.pending.command_id, None) is not None:
            found[begun.pending.command_id] = 0
        moments = trace.index.cascades.get(cascade, ())
        place = bisect_right(moments, min(sought.values(), default=cursor))
        while sought and place < len(moments) and moments[place] <= cursor:
            if not budget:
                return found, False
            step = trace[moments[place]].step
            if isinstance(step, Dispatched) and sought.pop(step.pending.command_id, None) is not None:
                found[step.pending.command_id] = moments[place]
            place, budget = place + 1, budget - 1
    return found, len(trace[cursor].agenda) <= MOST_PENDING


def _decided(trace: Trace, cursor: int, order: _Order, start: int) -> Sent:
    """What came of a command that was dispatched at a moment."""
    moment = trace[min(last_moment(trace, start), cursor)]
    step, progress = trace[start].step, moment.run.progress
    identity = step.identity if isinstance(step, AtAggregate) else None
    is_open = progress is not None
    if isinstance(progress, (Dispatched, Populating, Executing, Appending)):
        return Sent(*order, "in flight", is_open, identity)
    outcome: Outcome = "refused" if isinstance(moment.decision, Refused) else "accepted"
    return Sent(*order, outcome, is_open, identity, moment.decision)
