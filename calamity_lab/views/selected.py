"""What is selected, told in a sentence, and what led to it and what it led to."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from calamity_lab.errors import Rejected
from calamity_lab.kernel.steps import Appended, AtProcessManager, Dispatched, Refused, Step
from calamity_lab.shown import shown, shown_fields
from calamity_lab.trace.selection import Selection
from calamity_lab.trace.telling import counted, fact
from calamity_lab.trace.trace import Trace
from calamity_lab.views.cascade import last_moment
from calamity_lab.views.chart import ordinal

MOST_ARROWS = 80
MOST_STREAMS = 200

_MOST_COMMANDS = 200
_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a cause to its effect. A place above 0 is an event's among all; one below 0 a moment, negated."""

    cause: int
    effect: int
    leads_here: bool


@dataclass(frozen=True, slots=True)
class Selected:
    """What is selected: nothing where ``kind`` is "".

    ``first`` to ``last`` are the places of the selected events among all, from 1; ``moment`` is the one to go
    to. ``streams`` are those that it is about, ``command`` the id of the command, ``position`` that of an
    event, or of the first event of several and ``until`` that of the last.
    """

    kind: str = ""
    title: str = ""
    detail: str = ""
    moment: int | None = None
    first: int = 0
    last: int = 0
    position: int | None = None
    until: int | None = None
    command: str = ""
    streams: tuple[str, ...] = ()
    arrows: tuple[Arrow, ...] = ()


class Link(NamedTuple):
    """A cause and its effect, as places."""

    cause: int
    effect: int


def selected(trace: Trace, selection: Selection) -> Selected:
    """What a selection means on the current branch; what it has not, nothing is selected of."""
    if selection.position is not None and selection.until is not None:
        return _range(trace, selection.position, selection.until)
    if selection.position is not None:
        place = _place(trace, selection.position)
        return Selected() if place is None else _event(trace, place)
    if selection.moment is not None and 0 < selection.moment <= trace.last:
        step = trace[selection.moment].step
        return Selected() if step is None else _step(trace, step)
    if selection.stream_id is not None and selection.stream_id in trace.index.places:
        return _stream(trace, selection.stream_id)
    return Selected()


def told(trace: Trace, place: int) -> str:
    """What stands in the lanes at a place, as a sentence: an event's above 0, below 0 a moment's, negated."""
    if 0 < place <= len(trace.index.events):
        event = trace.index.events[place - 1]
        return f"{event.event_type} #{event.position}: {shown_fields(event.event, _DETAIL)}"
    step = trace[-place].step if 0 < -place <= trace.last else None
    if step is None:
        return ""
    decision = trace[last_moment(trace, -place)].decision if isinstance(step, Dispatched) else None
    return shown(fact(decision or step), _DETAIL)


def _event(trace: Trace, place: int) -> Selected:
    event, moment = trace.index.events[place - 1], trace.index.event_moments[place - 1]
    return Selected(
        kind="event",
        title=f"{event.event_type} #{event.position}",
        detail=told(trace, place),
        moment=moment,
        first=place,
        last=place,
        position=event.position,
        command=shown(event.causation_id) if event.causation_id is not None else "",
        streams=(shown(event.stream_id),),
        arrows=_arrows(trace, place, event.correlation_id, moment),
    )


def _step(trace: Trace, step: Step) -> Selected:
    identity = getattr(step, "identity", None)
    return Selected(
        kind="step",
        title=f"{step.kind} at step {step.index:,}",
        detail=told(trace, -step.index),
        moment=step.index,
        command=shown(step.pending.command_id),
        streams=() if identity is None else (shown(identity.stream_id),),
        arrows=_arrows(trace, -step.index, step.pending.correlation_id, step.index),
    )


def _stream(trace: Trace, stream_id: str) -> Selected:
    lane = trace.index.lanes[trace.index.places[stream_id]]
    name = shown(stream_id)
    return Selected("stream", name, f"{name}, known since step {lane.since:,}", streams=(name,))


def _range(trace: Trace, first: int, until: int) -> Selected:
    events = trace.index.events
    since, upto = (_after(trace, position) for position in (first - 1, until))
    if since >= upto:
        return Selected()
    streams = dict.fromkeys(event.stream_id for event in events.iterate(since, upto))
    taken = events[upto - 1].recorded_at - events[since].recorded_at
    title = f"{counted(upto - since, 'event')} of {counted(len(streams), 'stream')}"
    return Selected(
        kind="range",
        title=title,
        detail=f"positions {events[since].position:,} to {events[upto - 1].position:,}, in {shown(taken)}",
        first=since + 1,
        last=upto,
        position=events[since].position,
        until=events[upto - 1].position,
        streams=tuple(shown(name) for name in islice(streams, MOST_STREAMS)),
    )


def _after(trace: Trace, position: int) -> int:
    """How many events stand at that position or before it."""
    events = trace.index.events
    if 0 < position <= len(events) and events[position - 1].position == position:
        return position
    return bisect_right(events, position, key=lambda event: event.position)


def _place(trace: Trace, position: int) -> int | None:
    place = _after(trace, position)
    return place if place and trace.index.events[place - 1].position == position else None


def _arrows(trace: Trace, here: int, correlation: str, moment: int) -> tuple[Arrow, ...]:
    """The chain of causes up to here, and all that came of it, nearest first."""
    causes, effects = defaultdict(list), defaultdict(list)
    for cause, effect in dict.fromkeys(links(trace, correlation, moment)):
        effects[cause].append(effect)
        causes[effect].append(cause)
    before = (Arrow(cause, effect, leads_here=True) for effect, cause in _reached(here, causes))
    after = (Arrow(cause, effect, leads_here=False) for cause, effect in _reached(here, effects))
    return (*islice(before, MOST_ARROWS // 2), *islice(after, MOST_ARROWS // 2))


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


def links(trace: Trace, correlation: str, moment: int = 0) -> Iterator[Link]:
    """What led to what in a cascade; of one with very many commands, around a moment."""
    dispatched = trace.index.cascades.get(correlation, ())
    near = max(bisect_right(dispatched, moment) - _MOST_COMMANDS // 2, 0)
    sent: dict[str, int] = {}
    for start in islice(dispatched, near, near + _MOST_COMMANDS):
        last = last_moment(trace, start)
        decision = trace[last].decision
        # A refused command stands where it was refused.
        command = -decision.index if isinstance(decision, Refused) else -start
        step = trace[start].step
        if step is not None and step.pending.command_id in sent:
            yield Link(sent[step.pending.command_id], command)
        for reached in trace.branch.moments.iterate(start, last + 1):
            match reached.step:
                case Appended(recorded=recorded):
                    yield from (Link(command, ordinal(trace, event)) for event in recorded)
                case AtProcessManager(trigger=trigger, commands=commands, index=at):
                    yield Link(command if isinstance(trigger, Rejected) else ordinal(trace, trigger), -at)
                    sent.update((pending.command_id, -at) for pending in commands)
