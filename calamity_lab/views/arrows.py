"""The arrows in the lanes: what led to what, from mark to mark.

A place above 0 is an event's among all, from 1; one below 0 that of a command, a rejection or a reaction: its
moment, negated.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

from calamity_lab.errors import Rejected
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.steps import Step
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import ordinal

MOST_ARROWS = 80

_MOST_COMMANDS = 200
_MOST_LINKS = 4_000


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a cause to its effect, as places; whether it leads to what is selected, or from it."""

    cause: int
    effect: int
    leads_here: bool


class Link(NamedTuple):
    """A cause and its effect, as places."""

    cause: int
    effect: int


def arrows(trace: Trace, here: int, correlation: str, moment: int) -> tuple[Arrow, ...]:
    """The chain of causes up to here, and all that came of it, nearest first."""
    effects = defaultdict(list)
    # What came of something is dispatched with it or later.
    starts = islice(_starts(trace, correlation, trace.index.command_start(moment)), _MOST_COMMANDS)
    for cause, effect in islice(_links(trace, starts), _MOST_LINKS):
        effects[cause].append(effect)
    before = (Arrow(cause, effect, leads_here=True) for effect, cause in pairwise(_chain(trace, here)))
    after = (Arrow(cause, effect, leads_here=False) for cause, effect in _reached(here, effects))
    return (*islice(before, MOST_ARROWS // 2), *islice(after, MOST_ARROWS // 2))


def mark(trace: Trace, step: Step) -> int:
    """The place of a step in the lanes; what has no mark of its own is part of its command."""
    if step.rejected is not None or step.trigger is not None:
        return -step.index
    return _command(trace, trace.index.command_start(step.index))


def _command(trace: Trace, start: int) -> int:
    """The place of the command that was dispatched at a moment: a rejected one stands at its rejection."""
    decision = trace[trace.command_end(start)].decision
    return -start if decision is None or decision.rejected is None else -decision.index


def _reached(start: int, neighbours: dict[int, list[int]]) -> Iterator[tuple[int, int]]:
    """Every link that can be reached from a place, breadth first."""
    waiting, seen = deque([start]), {start}
    while waiting:
        place = waiting.popleft()
        for other in neighbours.get(place, ()):
            yield place, other
            if other not in seen:
                seen.add(other)
                waiting.append(other)


def _chain(trace: Trace, here: int) -> Iterator[int]:
    """A place, what caused it, what caused that, and so on."""
    place = here
    while place:
        yield place
        place = _cause_of_event(trace, place) if place > 0 else _cause_of_step(trace, -place)


def _cause_of_event(trace: Trace, place: int) -> int:
    """The place of the command that caused an event; 0 where the trace does not know it."""
    event, moment = trace.index.events[place - 1], trace.index.event_moments[place - 1]
    step = trace[moment].step
    # What others recorded came to be known with an event of the trace's own.
    if step is None or step.pending.command_id != event.causation_id:
        return 0
    return mark(trace, step)


def _cause_of_step(trace: Trace, moment: int) -> int:
    """The place of what caused a reaction or a command; 0 for a command that was submitted."""
    step = trace[moment].step
    if step is not None and step.trigger is not None:
        if isinstance(step.trigger, Rejected):
            return _command(trace, trace.index.command_start(moment))
        return ordinal(trace, step.trigger)
    sender = None if step is None else step.pending.sender
    if step is None or sender is None:
        return 0
    reactions = trace.index.reactions.get(sender.stream_id, PersistentVector())
    for at in islice(reactions.take(bisect_right(reactions, moment)).backwards(), _MOST_LINKS):
        reaction = trace[at].step
        sent = () if reaction is None else reaction.commands
        if any(pending.command_id == step.pending.command_id for pending in sent):
            return -at
    return 0


def _links(trace: Trace, starts: Iterator[int]) -> Iterator[Link]:
    """What led to what in the commands that were dispatched at those moments.

    Of a command that was dispatched before the trace began, nothing tells where it stands.
    """
    sent: dict[str, int] = {}
    for start in starts:
        command, step = _command(trace, start), trace[start].step
        if step is not None and step.pending.command_id in sent:
            yield Link(sent[step.pending.command_id], command)
        for reached in trace.branch.moments.iterate(start, trace.command_end(start) + 1):
            done = reached.step
            if done is None:
                continue
            if command:
                yield from (Link(command, ordinal(trace, event)) for event in done.recorded)
            if done.trigger is not None:
                cause = command if isinstance(done.trigger, Rejected) else ordinal(trace, done.trigger)
                if cause:
                    yield Link(cause, -done.index)
            sent.update((pending.command_id, -done.index) for pending in done.commands)


def _starts(trace: Trace, correlation: str, since: int) -> Iterator[int]:
    """When the commands of a cascade were dispatched, from a moment on; 0 for one that was in progress."""
    begun = trace[0].run.progress
    if not since and begun is not None and begun.pending.correlation_id == correlation:
        yield 0
    dispatched = trace.index.cascades.get(correlation, PersistentVector())
    yield from dispatched.iterate(bisect_left(dispatched, since))
