"""Counters of the steps up to a moment, kept for every few moments, so that no view walks a whole trace.

A step is one object, made once, and all branches that hold it share everything before it; so what was added
up at a step holds on every branch that has it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from rpds import HashTrieMap

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.steps import AtProcessManager, Step
from calamity_lab.trace.index import Index
from calamity_lab.trace.sentences import delay_of
from calamity_lab.trace.trace import Trace

STRIDE = 32

EdgeKey = tuple[str, str, str]

LATER = "later"
"""The label of the edge from a process manager to a command that it sets for later."""

_VERBS: Mapping[str, str] = {
    Verb.STARTED: "start",
    Verb.CONTINUED: "continue",
    Verb.STOPPED: "stop",
    Verb.ANSWERED: "answer",
}


class InstanceStart(NamedTuple):
    """An instance's lane, and the moment at which it was started, or first met."""

    lane: int
    moment: int


class Delays(NamedTuple):
    """After which time deadlines of an edge were due, at least and at most, and the first and last time."""

    shortest: timedelta
    longest: timedelta
    first: datetime
    last: datetime


class Counters(NamedTuple):
    """How often each thing happened, which streams are alive, and which instances started, oldest first.

    ``counts`` is by node, as in ``"command:DepositFunds"``, and by edge: source, target, label. ``delays`` is
    by the edges of deadlines, without those that answer a rejection (see `delay_of`).
    ``living`` has a bit for each lane, set while there is something in it.
    """

    counts: HashTrieMap[str | EdgeKey, int] = HashTrieMap()
    delays: HashTrieMap[EdgeKey, Delays] = HashTrieMap()
    instances: HashTrieMap[str, PersistentVector[InstanceStart]] = HashTrieMap()
    living: int = 0


_COUNTERS = Slot[Counters](most=8_192)
_LATEST = Slot[Counters](most=8)
"""The counters that were asked for last: whoever goes on by one step adds one step."""
_BEFORE: Slot[HashTrieMap[str | EdgeKey, int]] = Slot(most=16)


def counters(trace: Trace, cursor: int) -> Counters:
    """The counters at the cursor."""
    at, total = _nearest(trace, cursor)
    if at == cursor:
        return total
    index = trace.index
    for moment in trace.branch.moments.iterate(at + 1, cursor + 1):
        step = moment.step
        if step is not None:
            total = _add(total, step, index)
            if step.index % STRIDE == 0:
                trace.memo.keep(_COUNTERS, total, step)
    return trace.memo.keep(_LATEST, total, trace[cursor].step)


def node(kind: str, name: str) -> str:
    """The key of a node, as in ``"command:DepositFunds"``."""
    return f"{kind}:{name}"


def edge_verb(step: AtProcessManager) -> str:
    """What an event does to an instance, as the label of an edge from the event to the process manager."""
    return _VERBS.get(step.verb, step.verb)


def _nearest(trace: Trace, cursor: int) -> tuple[int, Counters]:
    """The last moment up to the cursor whose counters are kept, and these counters."""
    for at in range(cursor, max(cursor - 2, 0), -1):
        if (found := trace.memo.recall(_LATEST, trace[at].step)) is not None:
            return at, found
    for at in range(cursor - cursor % STRIDE, 0, -STRIDE):
        if (found := trace.memo.recall(_COUNTERS, trace[at].step)) is not None:
            return at, found
    return 0, _begin(trace)


def _begin(trace: Trace) -> Counters:
    """The counters before the first step of the trace."""
    index = trace.index
    known = index.lanes_at(0)
    instances: HashTrieMap[str, PersistentVector[InstanceStart]] = HashTrieMap()
    managers = bisect_left(index.lanes, True, hi=known, key=lambda lane: lane.kind != "aggregate")
    for lane in range(managers, known):
        if index.lanes[lane].kind != "process manager":
            continue
        category = index.lanes[lane].identity.category
        instances = instances.insert(
            category, instances.get(category, PersistentVector()).append(InstanceStart(lane, 0))
        )
    return Counters(_counted_before(trace), instances=instances, living=(1 << known) - 1)


def _counted_before(trace: Trace) -> HashTrieMap[str | EdgeKey, int]:
    index = trace.index
    count = index.events_at(0)
    if not count:
        return HashTrieMap()
    first, last = index.events[0], index.events[count - 1]
    found = trace.memo.recall(_BEFORE, first, last)
    if found is not None:
        return found
    seen = Counter(
        (event.stream_id.partition("-")[0], event.event_type) for event in index.events.iterate(0, count)
    )
    counts: dict[str | EdgeKey, int] = Counter()
    for (category, event_type), times in seen.items():
        aggregate, event = node("aggregate", category), node("event", event_type)
        counts[event] += times
        counts[aggregate, event, "records"] += times
    return trace.memo.keep(_BEFORE, HashTrieMap(counts), first, last)


def _add(total: Counters, step: Step, index: Index) -> Counters:
    if isinstance(step, AtProcessManager):
        return total if step.verb == Verb.IGNORED else _reacted(total, step, index.lane_numbers)
    if step.subject is None:
        return total
    if step.is_injected:
        return _injected(total, step)
    if step.begins:
        command = node("command", step.pending.command_type)
        aggregate = node("aggregate", step.subject.category)
        return total._replace(counts=_up(total.counts, command, aggregate, (command, aggregate, "to")))
    return _appended(total, step, step.subject, index) if step.recorded else total


def _injected(total: Counters, step: Step) -> Counters:
    """The counters with what another writer recorded."""
    counts = total.counts
    for recorded in step.recorded:
        event = node("event", recorded.event_type)
        counts = _up(
            counts, event, (node("aggregate", recorded.stream_id.partition("-")[0]), event, "records")
        )
    return total._replace(counts=counts)


def _appended(total: Counters, step: Step, identity: Identity, index: Index) -> Counters:
    counts = total.counts
    command = node("command", step.pending.command_type)
    aggregate = node("aggregate", identity.category)
    for recorded in step.recorded:
        event = node("event", recorded.event_type)
        counts = _up(counts, event, (aggregate, event, "records"), (command, event, "leads to"))
    living = total.living | _bit(index.lane_numbers, identity.stream_id)
    if index.projections.types:
        for number in range(index.lanes_at(step.index - 1), index.lanes_at(step.index)):
            living |= (index.lanes[number].kind == "projection") << number
    return total._replace(counts=counts, living=living)


def _reacted(total: Counters, step: AtProcessManager, lane_numbers: HashTrieMap[str, int]) -> Counters:
    stream_id, category = step.identity.stream_id, step.identity.category
    manager = node("process manager", category)
    rejected = isinstance(step.trigger, Rejected)
    counts = _up(total.counts, manager)
    if not isinstance(step.trigger, Rejected):
        counts = _up(counts, (node("event", step.trigger.event_type), manager, edge_verb(step)))
    for pending in step.commands:
        sent = node("command", pending.command_type)
        counts = _up(counts, (manager, sent, "if rejected" if rejected else "sends"))
    delays = total.delays
    for deadline in step.deadlines:
        edge = manager, node("command", deadline.command_type), LATER
        counts, delays = _up(counts, edge), _with_delay(delays, edge, deadline, step)
    if step.verb == Verb.ANSWERED:  # there is no instance
        return total._replace(counts=counts, delays=delays)
    bit = _bit(lane_numbers, stream_id)
    living = total.living & ~bit if step.verb == Verb.STOPPED else total.living | bit
    instances = total.instances
    # An instance that the history started is first met when it is continued or stopped.
    if bit and not total.living & bit:
        begun = InstanceStart(lane_numbers[stream_id], step.index)
        instances = instances.insert(category, instances.get(category, PersistentVector()).append(begun))
    return Counters(counts, delays, instances, living)


def _with_delay(
    delays: HashTrieMap[EdgeKey, Delays], edge: EdgeKey, deadline: Pending, step: Step
) -> HashTrieMap[EdgeKey, Delays]:
    """The delays with that of a deadline which was set at a step."""
    delay, due_at, known = delay_of(deadline, step), deadline.due_at, delays.get(edge)
    if delay is None or due_at is None:
        return delays
    if known is None:
        return delays.insert(edge, Delays(delay, delay, due_at, due_at))
    shortest, longest, first, last = known
    found = Delays(min(shortest, delay), max(longest, delay), min(first, due_at), max(last, due_at))
    return delays if found == known else delays.insert(edge, found)


def _bit(lane_numbers: HashTrieMap[str, int], stream_id: str) -> int:
    lane = lane_numbers.get(stream_id)
    return 0 if lane is None else 1 << lane


def _up(counts: HashTrieMap[str | EdgeKey, int], *keys: str | EdgeKey) -> HashTrieMap[str | EdgeKey, int]:
    for key in keys:
        counts = counts.insert(key, counts.get(key, 0) + 1)
    return counts
