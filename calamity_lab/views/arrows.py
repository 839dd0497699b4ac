"""The arrows in the lanes: what led to what, from mark to mark."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.faults import Redeliver
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.steps import Elapsed, Injected, Step
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import Mark, command_mark, event_mark, step_mark

MOST_ARROWS = 80

_MOST_COMMANDS = 200
_MOST_LINKS = 4_000
_EFFECTS = Slot[dict[Mark, list[Mark]]](most=4)


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a cause to its effect; whether it leads to what is selected, or from it."""

    cause: Mark
    effect: Mark
    leads_here: bool


class Link(NamedTuple):
    """A cause and its effect."""

    cause: Mark
    effect: Mark


def arrows(trace: Trace, here: Mark, correlation: str, moment: int) -> tuple[Arrow, ...]:
    """The chain of causes up to a mark, and all that came of it, nearest first."""
    effects = _effects(trace, correlation, trace.index.command_start(moment))
    before = (Arrow(cause, effect, leads_here=True) for effect, cause in pairwise(_chain(trace, here)))
    after = (Arrow(cause, effect, leads_here=False) for cause, effect in _reached(here, effects))
    return (*islice(before, MOST_ARROWS // 2), *islice(after, MOST_ARROWS // 2))


def _effects(trace: Trace, correlation: str, start: int) -> dict[Mark, list[Mark]]:
    """The effects of each cause from a command on, kept: the marks of one command share them."""

    def effects() -> dict[Mark, list[Mark]]:
        found = defaultdict[Mark, list[Mark]](list)
        # What came of something is dispatched with it or later.
        starts = islice(_starts(trace, correlation, start), _MOST_COMMANDS)
        for cause, effect in islice(_links(trace, starts), _MOST_LINKS):
            found[cause].append(effect)
        return found

    return trace.memo.once(_EFFECTS, effects, trace[start], trace[trace.last], key=correlation)


def _reached(start: Mark, effects: dict[Mark, list[Mark]]) -> Iterator[Link]:
    """Every link that can be reached from a mark, breadth first."""
    waiting, seen = deque([start]), {start}
    while waiting:
        cause = waiting.popleft()
        for effect in effects.get(cause, ()):
            yield Link(cause, effect)
            if effect not in seen:
                seen.add(effect)
                waiting.append(effect)


def _chain(trace: Trace, here: Mark) -> Iterator[Mark]:
    """A mark, what caused it, what caused that, and so on."""
    mark: Mark | None = here
    while mark is not None:
        yield mark
        mark = cause_of(trace, mark)


def cause_of(trace: Trace, mark: Mark) -> Mark | None:
    """What a mark was caused by: a command, an event, or a reaction; None for what was submitted."""
    return _CAUSES[mark.kind](trace, mark.number)


def effects_of(trace: Trace, mark: Mark, most: int = MOST_ARROWS) -> Iterator[tuple[Mark, int]]:
    """What came of a mark, each effect followed by its own, with the number of causes between."""
    correlation, moment = _cascade(trace, mark)
    effects = _effects(trace, correlation, trace.index.command_start(moment))
    waiting, seen = [(each, 0) for each in reversed(effects.get(mark, ()))], {mark}
    while waiting and len(seen) <= most:
        effect, depth = waiting.pop()
        if effect not in seen:
            seen.add(effect)
            yield effect, depth
            waiting += [(each, depth + 1) for each in reversed(effects.get(effect, ()))]


def _cascade(trace: Trace, mark: Mark) -> tuple[str, int]:
    """The correlation id of what a mark shows, and its moment."""
    if mark.kind != "step":
        event = (
            mark.number if mark.kind == "event" else trace.index.projections.changes[mark.number - 1].event
        )
        number = event - 1
        return trace.index.events[number].correlation_id, trace.index.event_moments[number]
    step = trace[mark.number].step
    return "" if step is None else step.pending.correlation_id, mark.number


def _cause_of_event(trace: Trace, number: int) -> Mark | None:
    """The command that caused an event; None where the trace does not know it."""
    event, moment = trace.index.events[number - 1], trace.index.event_moments[number - 1]
    step = trace[moment].step
    if step is not None and step.is_injected:
        return Mark("step", moment)
    # What others recorded came to be known with an event of the trace's own.
    if step is None or step.pending.command_id != event.causation_id:
        return None
    return step_mark(trace, step)


def _cause_of_step(trace: Trace, moment: int) -> Mark | None:
    """What caused a reaction or a command; None for what was put in from outside: a command, a fault."""
    step = trace[moment].step
    again = _handed_again(trace, step)
    if again is not None:
        return again
    if step is not None and step.trigger is not None:
        if isinstance(step.trigger, Rejected):
            return command_mark(trace, trace.index.command_start(moment))
        return event_mark(trace, step.trigger)
    return None if step is None else cause_of_pending(trace, step.pending, moment)


def _handed_again(trace: Trace, step: Step | None) -> Mark | None:
    """The cause where an event was handed on again: of what came of it the fault, of the fault the event."""
    if step is None or not isinstance(step.pending.command, Redeliver):
        return None
    if isinstance(step, Injected):
        return event_mark(trace, step.fault.event)
    return None if step.trigger is None else Mark("step", trace.index.command_start(step.index))


def cause_of_pending(trace: Trace, pending: Pending, moment: int) -> Mark | None:
    """The reaction, up to a moment, that sent a command or set it for later; None for a submitted one."""
    sender = pending.sender
    if sender is None:
        return None
    reactions = trace.index.reactions.get(sender.stream_id, PersistentVector())
    for at in islice(reactions.take(bisect_right(reactions, moment)).backwards(), _MOST_LINKS):
        reaction = trace[at].step
        sent = () if reaction is None else (*reaction.commands, *reaction.deadlines)
        if any(each.command_id == pending.command_id for each in sent):
            return Mark("step", at)
    return None


def _cause_of_change(trace: Trace, number: int) -> Mark | None:
    """The event that changed a projection."""
    return Mark("event", trace.index.projections.changes[number - 1].event)


def _cause_of_deadline(trace: Trace, number: int) -> Mark | None:
    """The reaction that set a deadline; None where it was set before the trace began."""
    moment, pending = trace.index.deadlines[number - 1]
    return cause_of_pending(trace, pending, moment)


_CAUSES: Mapping[str, Callable[[Trace, int], Mark | None]] = {
    "event": _cause_of_event,
    "step": _cause_of_step,
    "change": _cause_of_change,
    "deadline": _cause_of_deadline,
}


def _links(trace: Trace, starts: Iterator[int]) -> Iterator[Link]:
    """The links of the commands that were dispatched at those moments.

    A command that was dispatched before the trace began has no mark.
    """
    sent: dict[str, Mark] = {}
    for start in starts:
        command, step = command_mark(trace, start), trace[start].step
        if step is not None and command is not None and step.pending.command_id in sent:
            yield Link(sent[step.pending.command_id], command)
        for reached in trace.branch.moments.iterate(start, trace.command_end(start) + 1):
            done = reached.step
            if done is None:
                continue
            here = Mark("step", done.index)
            source = here if done.is_injected else command
            if source is not None:
                yield from (Link(source, event_mark(trace, event)) for event in done.recorded)
            again = _handed_again(trace, done)
            if again is not None:
                yield Link(again, here)
            elif done.trigger is not None:
                cause = command if isinstance(done.trigger, Rejected) else event_mark(trace, done.trigger)
                if cause is not None:
                    yield Link(cause, here)
            if not isinstance(done, Elapsed):  # a deadline is due there, and was set before
                sent.update((each.command_id, here) for each in (*done.commands, *done.deadlines))


def _starts(trace: Trace, correlation: str, since: int) -> Iterator[int]:
    """When the commands of a cascade were dispatched, from a moment on; 0 for one that was in progress."""
    begun = trace[0].run.progress
    if not since and begun is not None and begun.pending.correlation_id == correlation:
        yield 0
    dispatched = trace.index.cascades.get(correlation, PersistentVector())
    yield from dispatched.iterate(bisect_left(dispatched, since))
