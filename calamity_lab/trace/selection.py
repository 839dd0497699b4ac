"""The selection: what every view highlights. It does not move the cursor."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any, NamedTuple

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import a_whole_number, is_a
from calamity_lab.kernel.identity import by_name, stored_name
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.steps import Step
from calamity_lab.trace.trace import Moment, Trace

MOST_DEADLINES = 10_000
"""Search at most this many deadlines for the one that is selected, the first ones."""


class Selection(NamedTuple):
    """A stream, an event, some events, the step of a moment, a command or a type of the model; or nothing.

    Of an event ``position`` is its own; of several it is the first one's, and ``until`` the last one's. With
    a ``stream_id`` and a ``position`` it is what the event changed in that projection. Of a command that was
    pending at ``moment``, ``command`` is its id; what became of it since is selected. ``type`` is a kind and
    a stored name, as in ``"command:WithdrawFunds"``, so it outlives a reload. ``deadline`` is the number of a
    deadline among all that were set, from 1: the line in its lane, whatever became of it.
    """

    stream_id: str | None = None
    position: int | None = None
    until: int | None = None
    moment: int | None = None
    command: str | None = None
    type: str | None = None
    deadline: int | None = None


NOTHING = Selection()


def selection_of(trace: Trace, what: tuple[Any, ...]) -> Selection:
    """The selection for a stream id, a position, two positions, a message or a class; for nothing, none."""
    given = tuple([each if is_a(each, Step, Pending, type) else _plain(each) for each in what])
    match given:
        case ():
            return NOTHING
        case (str() as stream_id,):
            if trace.index.known_since(stream_id) is None:
                known = ", ".join(lane.identity.stream_id for lane in trace.index.lanes.iterate(0, 5))
                raise InvalidValue(
                    f"there is no stream {repr_of(stream_id)} on this branch; there are: {known or 'none'}"
                )
            return Selection(stream_id=stream_id)
        case (int() as position,) if not isinstance(position, bool):
            selection = Selection(position=position)
        case (int() as first, int() as last) if not isinstance(first, bool) and not isinstance(last, bool):
            selection = Selection(position=first, until=last)
        case (Step() | Pending() as message,):
            return _of_message(trace, message)
        case (type() as cls,):
            return _of_class(trace, cls)
        case _:
            raise InvalidValue(
                f"select{repr_of(what)}: give a stream id, as in select('BankAccount-1'), the position of an "
                "event, as in select(12), the first and the last position, as in select(3, 9), a step, as in "
                "select(lab.steps[5]), a pending command, as in select(lab.agenda.pending[0]), or a class of "
                "the model, as in select(WithdrawFunds)"
            )
    if not any(True for _ in selected_events(trace, selection)):
        raise InvalidValue(
            f"select{repr_of(what)}: there is no such event on this branch; its positions go up to "
            f"{trace.index.last_position:,}"
        )
    return selection


def _of_message(trace: Trace, message: Step | Pending) -> Selection:
    """The selection for a step, for a command that is pending or was dispatched, or for a deadline."""
    if isinstance(message, Step):
        if 0 < message.index <= trace.last and trace[message.index].step == message:
            return Selection(moment=message.index)
    elif (start := dispatch_of(trace, message)) is not None:
        return Selection(moment=start)
    elif any(each == message for each in waiting(trace[trace.last].run)):
        return Selection(moment=trace.last, command=message.command_id)
    elif (deadline := trace.index.ended.get(message.command_id)) is not None:  # one that was taken off
        return Selection(deadline=deadline.number)
    raise InvalidValue(
        f"select({repr_of(message)}): this is not on the current branch; switch(branch) goes to its branch"
    )


def _of_class(trace: Trace, cls: type) -> Selection:
    """The selection for a class of the model."""
    name, parts = stored_name(cls), trace.branch.model.by_kind
    kind = next((kind for kind, classes in parts.items() if name in by_name(classes)), None)
    if kind is None:
        known = [known for classes in parts.values() for known in by_name(classes)]
        near = get_close_matches(name, known, n=3) or known[:12]
        raise InvalidValue(
            f"select({cls.__name__}): this class is not part of the lab's model; there are: {', '.join(near)}"
        )
    return Selection(type=f"{kind}:{name}")


def _plain(given: Any) -> Any:
    """A text or a whole number as Python's own; anything else as None."""
    if is_a(given, str):
        return str.__str__(given)
    with suppress(InvalidValue):
        return a_whole_number("select(position)", given, low=None)
    return None


def selected_events(trace: Trace, selection: Selection) -> Iterator[RecordedEvent]:
    """The events of a selection, past and future: of a step those that it recorded."""
    events, (stream_id, position, until, moment, command, of_type, _) = trace.index.events, selection
    if of_type is not None:
        yield from (event for event in events if f"event:{event.event_type}" == of_type)
    elif position is not None:
        last = position if until is None else until
        start = bisect_left(events, position, key=lambda event: event.position)
        stop = bisect_right(events, last, key=lambda event: event.position)
        yield from events.iterate(start, stop)
    elif command is not None:
        step = _recorded_by(trace, selection)
        yield from step.recorded if step is not None else ()
    elif moment is not None:
        step = trace[moment].step if 0 < moment <= trace.last else None
        yield from step.recorded if step is not None else ()
    elif stream_id is not None:
        changes = trace.index.projections.histories.get(stream_id)
        if changes is not None:
            yield from (events[change.event - 1] for change in changes)
        else:
            yield from (event for event in events if event.stream_id == stream_id)


def pending_of(trace: Trace, selection: Selection) -> Pending | None:
    """The selected command, as it was pending or in progress at the moment of selection, or a deadline."""
    if selection.deadline is not None:
        number = selection.deadline
        there = trace.index.deadlines
        return there[number - 1].pending if 0 < number <= len(there) else None
    moment, command = selection.moment, selection.command
    if command is None or moment is None or not 0 <= moment <= trace.last:
        return None
    run = trace[moment].run
    if run.progress is not None and run.progress.pending.command_id == command:
        return run.progress.pending
    return next((each for each in waiting(run) if each.command_id == command), None)


def waiting(run: Run) -> Iterator[Pending]:
    """The pending commands in order, and then the first deadlines."""
    return chain(run.agenda.entries(), islice(run.stack.deadlines, MOST_DEADLINES))


def is_deadline(trace: Trace, selection: Selection, pending: Pending) -> bool:
    """Whether a selected command was a deadline at the moment of the selection, and not yet due.

    Of the line of a deadline: whether the branch keeps this deadline to its end.
    """
    if selection.deadline is not None:
        return trace.index.ended[pending.command_id].how == "set"
    if pending.sender is None or selection.moment is None:
        return False
    return pending in trace[selection.moment].stack.deadlines.of(pending.sender)


def dispatch_of(trace: Trace, pending: Pending) -> int | None:
    """The moment at which a command was dispatched; None if it was not, on this branch."""
    moments = trace.index.cascades.get(pending.correlation_id, ())
    return next((at for at in moments if _command_at(trace, at) == pending.command_id), None)


def _command_at(trace: Trace, moment: int) -> str | None:
    step = trace[moment].step
    return None if step is None else step.pending.command_id


def _recorded_by(trace: Trace, selection: Selection) -> Step | None:
    """The step that recorded the events of a selected command."""
    pending = pending_of(trace, selection)
    start = None if pending is None else dispatch_of(trace, pending)
    if start is None:
        return None
    steps = (each.step for each in trace.branch.moments.iterate(start, trace.command_end(start) + 1))
    return next((each for each in steps if each is not None and each.recorded and not each.is_injected), None)


class Note(NamedTuple):
    """A finding: a text that a person keeps with a branch, a moment of it, and what was selected there."""

    text: str
    branch: str
    moment: Moment
    selection: Selection = NOTHING
