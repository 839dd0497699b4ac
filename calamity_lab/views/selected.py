"""The selection as a sentence, with what caused it and what it caused."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.identity import by_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.steps import Elapsed, Injected, Step
from calamity_lab.text import (
    format_fields,
    format_value,
    length_of_time,
    plain_sentence,
    plural,
    point_in_time,
)
from calamity_lab.trace.differences import ABSENT, differences
from calamity_lab.trace.projections import BrokenProjection, ProjectionChange
from calamity_lab.trace.selection import Selection, dispatch_of, is_deadline, pending_of
from calamity_lab.trace.sentences import fact, origin
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import target_text
from calamity_lab.views.arrows import Arrow, arrows
from calamity_lab.views.chart import Mark, change_mark, change_of, ordinal, step_mark
from calamity_lab.views.counters import counters
from calamity_lab.views.events import LENGTH
from calamity_lab.views.paths import state_fields

MOST_STREAMS = 200

BEFORE = "before the run began"

_DETAIL = 300
_TITLE = 120
_VALUE = 60
_FIELDS = 8


@dataclass(frozen=True, slots=True)
class Selected:
    """What is selected; nothing is if ``kind`` is "".

    ``first`` to ``last`` are the numbers of the selected events among all, from 1; ``mark`` is the
    only one in the lanes. ``moment`` is the one to go to. ``streams`` are those that it is about, ``command``
    the id of the command, ``position`` that of an event, or of the first event of several and ``until`` that
    of the last. ``type`` is the key of a type of the model, as of a node in the process graph.
    """

    kind: str = ""
    title: str = ""
    detail: str = ""
    moment: int | None = None
    first: int = 0
    last: int = 0
    mark: Mark | None = None
    position: int | None = None
    until: int | None = None
    command: str = ""
    streams: tuple[str, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    type: str = ""


def selected(trace: Trace, selection: Selection) -> Selected:
    """The selection on the current branch; nothing is selected if the branch does not have it."""
    if selection.type is not None:
        return _type(trace, selection.type)
    if selection.deadline is not None:
        return _deadline(trace, selection.deadline)
    if selection.position is not None and selection.until is not None:
        return _range(trace, selection.position, selection.until)
    if selection.position is not None and selection.stream_id is not None:
        return _change(trace, selection.stream_id, selection.position)
    if selection.position is not None:
        return _event(trace, selection.position)
    if selection.command is not None:
        return _command(trace, selection)
    if selection.moment is not None and 0 < selection.moment <= trace.last:
        step = trace[selection.moment].step
        return Selected() if step is None else _step(trace, step)
    if selection.stream_id is not None:
        return _stream(trace, selection.stream_id)
    return Selected()


def described(trace: Trace, mark: Mark) -> str:
    """A mark in the lanes as a sentence; "" where the branch does not have it."""
    kind, number = mark
    if kind == "event" and 0 < number <= len(trace.index.events):
        event = trace.index.events[number - 1]
        return f"{event.event_type} #{event.position}: {format_fields(event.event, LENGTH)}"
    if kind == "deadline" and 0 < number <= len(trace.index.deadlines):
        pending = trace.index.deadlines[number - 1].pending
        name = plain_sentence(f"{pending.deadline} of {pending.sender}", _TITLE)
        return f"{name}: {deadline_life(trace, pending, trace.last)}"
    change = change_of(trace, mark)
    if change is not None:
        event = trace.index.events[change.event - 1]
        name = format_value(change.identity.stream_id)
        return format_value(
            f"{event.event_type} #{event.position} changed {name}: {changed_text(change)}", _DETAIL
        )
    step = trace[number].step if kind == "step" and number <= trace.last else None
    if step is None:
        return ""
    decision = trace[trace.command_end(number)].decision if step.begins else None
    return format_value(fact(decision or step), _DETAIL)


def deadline_life(trace: Trace, pending: Pending, upto: int) -> str:
    """When a deadline is due, where it was set, and what became of it up to a moment."""
    assert pending.due_at is not None, "a deadline has a time"
    words = f"due at {point_in_time(pending.due_at)}"
    if pending.cause is not None:
        event, length = pending.cause, length_of_time(pending.due_at - pending.cause.recorded_at)
        words += f", {length} after {plain_sentence(event.event_type)} #{event.position}"
    ended = trace.index.ended.get(pending.command_id)
    since = trace.index.deadlines[ended.number - 1].moment if ended is not None else 0
    words += f"; set at step {since:,}" if since else f"; set {BEFORE}"
    if ended is not None and ended.moment is not None and ended.moment <= upto:
        words += f", {ended.how} at step {ended.moment:,}"
    return words


def _deadline(trace: Trace, number: int) -> Selected:
    if not 0 < number <= len(trace.index.deadlines):
        return Selected()
    moment, pending = trace.index.deadlines[number - 1]
    assert pending.sender is not None, "a deadline belongs to an instance"
    return Selected(
        kind="deadline",
        title=plain_sentence(f"{pending.deadline} of {pending.sender}", _TITLE),
        detail=deadline_life(trace, pending, trace.last),
        moment=moment or None,
        mark=Mark("deadline", number),
        command=format_value(pending.command_id),
        streams=(format_value(pending.sender.stream_id),),
    )


def _event(trace: Trace, position: int) -> Selected:
    number = ordinal(trace, position)
    if not number:
        return Selected()
    event, moment = trace.index.events[number - 1], trace.index.event_moments[number - 1]
    mark = Mark("event", number)
    return Selected(
        kind="event",
        title=f"{event.event_type} #{position}",
        detail=described(trace, mark),
        moment=moment,
        first=number,
        last=number,
        mark=mark,
        position=position,
        command=format_value(event.causation_id) if event.causation_id is not None else "",
        streams=(format_value(event.stream_id),),
        arrows=arrows(trace, mark, event.correlation_id, moment),
    )


def changed_text(change: ProjectionChange) -> str:
    """What a change of a projection changed, field by field."""
    if isinstance(change.after, BrokenProjection):
        return change.after.problem
    old, new = state_fields(change.before), state_fields(change.after)
    return ", ".join(
        f"{each.path}={format_value(each.after, _VALUE)}"
        if each.before is ABSENT
        else f"{each.path}: {format_value(each.before, _VALUE)} → {format_value(each.after, _VALUE)}"
        for each in islice(differences(old, new), _FIELDS)
    )


def _change(trace: Trace, stream_id: str, position: int) -> Selected:
    """What an event changed in a projection; the event where it changed nothing there."""
    mark = change_mark(trace, stream_id, position)
    change = None if mark is None else change_of(trace, mark)
    if mark is None or change is None:
        return _event(trace, position)
    event, name = trace.index.events[change.event - 1], format_value(stream_id)
    return Selected(
        kind="change",
        title=format_value(f"{name} changed by {event.event_type} #{position}", _TITLE),
        detail=described(trace, mark),
        moment=change.moment,
        mark=mark,
        position=position,
        streams=(name,),
        arrows=arrows(trace, mark, event.correlation_id, change.moment),
    )


def _step(trace: Trace, step: Step) -> Selected:
    if (events := step.recorded) and not step.is_injected:
        if len(events) == 1:
            return _event(trace, events[0].position)
        return replace(_range(trace, events[0].position, events[-1].position), moment=step.index)
    mark = step_mark(trace, step)
    return Selected(
        kind="step",
        title=format_value(f"{_what(step)} at step {step.index:,}", _TITLE),
        detail=described(trace, Mark("step", step.index)),
        moment=step.index,
        mark=mark,
        command=format_value(step.pending.command_id),
        streams=() if step.stream_id is None else (format_value(step.stream_id),),
        arrows=arrows(trace, mark, step.pending.correlation_id, step.index) if mark else (),
    )


def _command(trace: Trace, selection: Selection) -> Selected:
    """A command that was picked while it was pending; its step, once it was dispatched."""
    pending = pending_of(trace, selection)
    if pending is None:
        return Selected()
    start = dispatch_of(trace, pending)
    step = None if start is None else trace[start].step
    if step is not None:
        return _step(trace, step)
    title, mark = f"{pending.command_type} pending", None
    if pending.due_at is not None and is_deadline(trace, selection, pending):
        title = plain_sentence(f"{pending.deadline} due at {point_in_time(pending.due_at)}", _TITLE)
        known = trace.index.ended.get(pending.command_id)  # not one that another process set
        mark = None if known is None else Mark("deadline", known.number)
    return Selected(
        kind="command",
        title=title,
        detail=plain_sentence(f"to {target_text(pending)}, {origin(pending)}", _DETAIL),
        mark=mark,
        command=format_value(pending.command_id),
    )


def _what(step: Step) -> str:
    """The subject of a step and its verb; the subject is the instance or the fault, else the command."""
    if isinstance(step, Elapsed):
        return f"{length_of_time(step.now - step.since)} passed"
    if isinstance(step, Injected):
        return f"{type(step.fault).__name__} {step.verb}"
    stream_id = step.stream_id if step.at_process_manager else None
    return f"{step.pending.command_type if stream_id is None else stream_id} {step.verb}"


def _stream(trace: Trace, stream_id: str) -> Selected:
    since = trace.index.known_since(stream_id)
    if since is None:
        return Selected()
    name = format_value(stream_id)
    return Selected("stream", name, f"{name}, first seen at step {since:,}", streams=(name,))


def times_of(trace: Trace, key: str) -> int | None:
    """How often a type occurs on the branch; None where neither the branch nor its model has this type."""
    kind, _, name = key.partition(":")
    times = counters(trace, trace.last).counts.get(key, 0)
    return times if times or name in by_name(trace.branch.model.by_kind.get(kind, ())) else None


_HAPPENED = {
    "command": "dispatched {}",
    "event": "recorded {}",
    "aggregate": "given commands {}",
    "process manager": "reacted {}",
}


def _type(trace: Trace, key: str) -> Selected:
    """A class of the model, or the type of an event that no class is known of."""
    times = times_of(trace, key)
    if times is None:
        return Selected()
    kind, _, name = key.partition(":")
    happened = _HAPPENED.get(kind, "").format(plural(times, "time")) if times else "never used"
    detail = kind if kind == "projection" else f"{kind}, {happened} on this branch"
    return Selected("type", format_value(name, _TITLE), detail, type=key)


def _range(trace: Trace, first: int, until: int) -> Selected:
    events = trace.index.events
    since, upto = (
        bisect_right(events, each, key=lambda event: event.position) for each in (first - 1, until)
    )
    if since >= upto:
        return Selected()
    streams = _streams(trace, since, upto)
    taken = _duration(events[upto - 1].recorded_at - events[since].recorded_at)
    title = f"{plural(upto - since, 'event')} of {plural(len(streams), 'stream')}"
    return Selected(
        kind="range",
        title=title,
        detail=f"positions {events[since].position:,} to {events[upto - 1].position:,}, {taken}",
        first=since + 1,
        last=upto,
        position=events[since].position,
        until=events[upto - 1].position,
        streams=tuple(format_value(name) for name in islice(streams, MOST_STREAMS)),
    )


def _duration(taken: timedelta) -> str:
    return (
        f"in {format_value(taken)}"
        if taken >= timedelta()
        else f"the clock going back by {format_value(-taken)}"
    )


_RANGES = Slot[dict[str, None]](most=8)


def _streams(trace: Trace, since: int, upto: int) -> dict[str, None]:
    """The streams of a range, by appearance, kept: a range stays selected while the run goes on.

    An event is one object, made once, and all branches that hold it share everything before it.
    """
    events = trace.index.events

    def streams() -> dict[str, None]:
        return dict.fromkeys(event.stream_id for event in events.iterate(since, upto))

    return trace.memo.once(_RANGES, streams, events[since], events[upto - 1])
