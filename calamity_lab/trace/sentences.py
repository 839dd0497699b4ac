"""Steps as sentences, for live regions, logs and reprs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.cases import has_no_case
from calamity_lab.kernel.faults import ClockJump, ConcurrentWriter, Crash, Fault, Redeliver
from calamity_lab.kernel.folding import Verb, begun
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.progress import Wait
from calamity_lab.kernel.schema import fields_of
from calamity_lab.kernel.steps import (
    Appended,
    AtProcessManager,
    CaughtUp,
    Conflicted,
    Dispatched,
    Elapsed,
    Executed,
    Failed,
    Injected,
    Populated,
    Refused,
    Settled,
    Step,
)
from calamity_lab.text import format_value, length_of_time, plain_sentence, plural, point_in_time
from calamity_lab.trace.differences import SHORT, change, differences, lines

_MOST_NAMED = 3


def sentence(step: Step | None, decision: Step | None = None) -> str:
    """What happened at a step, as one sentence with its number.

    ``decision`` is the step at which its command was accepted or rejected: the completed step repeats it,
    with the state that the command left. Before that, the events may still fail to be recorded.
    """
    if step is None:
        return "Nothing has happened yet"
    if step.ends and decision is not None:
        return f"Step {step.index:,}: {plain_sentence(_fact(decision) + _left(decision))}; completed"
    return f"Step {step.index:,}: {fact(step)}"


def fact(step: Step) -> str:
    """What happened at a step, without its number."""
    return plain_sentence(_fact(step))


def _fact(step: Step) -> str:
    command = step.pending.command_type
    match step:
        case Dispatched():
            return f"{command} dispatched to {step.subject}"
        case Populated(count=0):
            return f"{step.subject} is new: its stream has no events"
        case Populated(count=count):
            return f"{step.subject} caught up with {plural(count, 'event')}"
        case CaughtUp(identity=identity):
            caught_up = f"{identity.category} caught up with {caught_up_with(step)} up to {step.position:,}"
            return caught_up + of_deadlines(step)
        case Executed():
            return _of_decision(step, command)
        case Refused(rejected=rejected):
            return f"{command} rejected: {rejected}"
        case Appended(recorded=recorded, identity=identity):
            names = ", ".join(event.event_type for event in recorded)
            positions = ", ".join(str(event.position) for event in recorded)
            return f"{names} recorded in {identity} at position {positions}"
        case Conflicted(identity=identity, expected=expected, actual=actual):
            wanted = getattr(expected, "value", expected)
            return (
                f"{identity} was changed by another writer (expected version {wanted}, found {actual}), "
                f"{command} tried again"
            )
        case AtProcessManager():
            return _of_manager(step)
    return _otherwise(step, command)


def _of_decision(step: Executed, command: str) -> str:
    if step.events:
        return f"{command} accepted, {plural(len(step.events), 'event')}"
    aggregate = step.identity.type
    if has_no_case(aggregate, type(step.pending.command)):
        return f"no case for {command}: {aggregate.__name__}.execute returned None, so no event"
    return f"{command} accepted, no event"


def _otherwise(step: Step, command: str) -> str:
    """A fault, a command that was settled before or has failed; for other steps, the subject and the verb."""
    if isinstance(step, Injected):
        return f"Injected: {_of_fault(step, step.fault)}"
    if isinstance(step, Elapsed):
        return _of_time(step)
    if not isinstance(step, Settled | Failed):
        return f"{step.subject or command} {step.verb}"
    if isinstance(step, Settled):
        verdict, reason = step.outcome.verdict, step.outcome.reason
        noted = f"{verdict} ({reason})" if reason else verdict
        return f"{command} was settled before: {noted}; it is not carried out again"
    failure = step.failure
    if failure.pending is None:
        return f"{failure.error}; {failure.process_manager} gets the event at {failure.position} again"
    return f"{failure.error}; {command} waits in the outbox"


def _of_time(step: Elapsed) -> str:
    passed = f"it is {point_in_time(step.now)}"
    if step.now != step.since:
        passed = f"{length_of_time(step.now - step.since)} passed, {passed}"
    due = ", ".join(f"{each.deadline} of {each.sender}" for each in step.commands[:3])
    more = f" and {len(step.commands) - 3:,} more" if len(step.commands) > 3 else ""
    return f"{passed}: {due}{more} due" if due else f"{passed}: nothing is due"


def caught_up_with(step: Populated | CaughtUp) -> str:
    """What an aggregate or a process manager took in, as in "2 events and 1 rejection"."""
    rejections = step.rejections if isinstance(step, CaughtUp) else 0
    counted = [plural(step.count, "event")] if step.count or not rejections else []
    return " and ".join([*counted, *([plural(rejections, "rejection")] if rejections else [])])


def of_deadlines(step: Step) -> str:
    """Which deadlines a process manager set and took off."""
    words = ""
    if step.deadlines:
        words += f", sets {', '.join(_deadline(each, step) for each in step.deadlines)}"
    gone = _cancelled(step)
    if gone:
        words += f", cancels {', '.join(gone)}"
    if isinstance(step, AtProcessManager) and step.not_there:
        words += f"; there was no {' and no '.join(step.not_there)} to cancel"
    return words


def delay_of(deadline: Pending, step: Step) -> timedelta | None:
    """How long after the answered event a deadline is due that was set at a step.

    None where it answers a rejection: then it counts from the time of the clock, which no step keeps.
    """
    if deadline.due_at is None or deadline.cause is None or isinstance(step.trigger, Rejected):
        return None
    return deadline.due_at - deadline.cause.recorded_at


def changes_of_deadlines(step: Step) -> str:
    """Which deadlines a step set and took off, in short, as in "after 15 min: ExpirePayment"."""
    words = [f"{_when(each, step)}: {each.deadline}" for each in step.deadlines[:_MOST_NAMED]]
    more = len(step.deadlines) - _MOST_NAMED
    words += [f"{more:,} more"] if more > 0 else []
    gone = _cancelled(step)
    words += (
        [f"cancels {', '.join(gone[:_MOST_NAMED])}{', ...' if len(gone) > _MOST_NAMED else ''}"]
        if gone
        else []
    )
    return plain_sentence("; ".join(words))


def _when(deadline: Pending, step: Step) -> str:
    delay = delay_of(deadline, step)
    if delay is not None and delay >= timedelta(0):
        return f"after {length_of_time(delay)}"
    return "" if deadline.due_at is None else f"at {point_in_time(deadline.due_at)}"


def _cancelled(step: Step) -> list[str]:
    """The names of the deadlines that a step took off, without those that it set again."""
    replaced = {each.deadline for each in step.deadlines}
    return [str(each.deadline) for each in step.taken_off if each.deadline not in replaced]


def _deadline(deadline: Pending, step: Step) -> str:
    again = any(each.deadline == deadline.deadline for each in step.taken_off)
    at = "" if deadline.due_at is None else point_in_time(deadline.due_at)
    return f"{deadline.deadline} {'again ' if again else ''}for {at}"


def _of_fault(step: Injected, fault: Fault) -> str:
    """What a fault did."""
    match fault:
        case ConcurrentWriter():
            positions = ", ".join(str(each.position) for each in step.recorded)
            names = ", ".join(step.event_types)
            return f"another writer recorded {names} in {fault.stream_id} at position {positions}"
        case Redeliver(event=event):
            return f"{event.event_type} #{event.position} reaches the process managers a second time"
        case Crash():
            lost = plural(len(step.lost), "submitted command")
            return f"the process crashed and recovered, {lost} lost"
        case ClockJump(by=by):
            return f"the clock jumped {'back' if by < timedelta(0) else 'ahead'} by {abs(by)}"
    lost = ", ".join(f"{each.command_type} of {each.sender}" for each in step.lost)
    return f"{lost} was lost on its way"


def origin(pending: Pending) -> str:
    """Who sent a command and why, as in "FundsWithdrawn #3 by Transfer-t1", and of a deadline its name."""
    if pending.deadline is None:
        return sent_by(pending)
    name = pending.deadline if pending.deadline != pending.command_type else ""
    return plain_sentence(f"deadline{name and ' '}{name}: {sent_by(pending)}")


def sent_by(pending: Pending) -> str:
    """Who sent a command and why, or set it for later."""
    if pending.sender is None:
        if isinstance(pending.command, Wait):
            return "waited"
        return "injected" if isinstance(pending.command, Fault) else "submitted"
    parent, cause = pending.parent, pending.cause
    # The parent of a command that answers an event is the command that caused this event. The parent of a
    # command that answers a rejection is the rejected command; its cause is the cause of the rejected
    # command.
    # The parent of a command that answers an event which a fault handed on again is the fault.
    if parent is not None and (cause is None or cause.causation_id != parent.command_id):
        if isinstance(parent.command, Fault) and cause is not None:
            return plain_sentence(f"{cause.event_type} #{cause.position} again by {pending.sender}")
        return plain_sentence(f"{pending.sender} after {parent.command_type} was rejected")
    assert cause is not None, "a command without a parent has no sender"
    return plain_sentence(f"{cause.event_type} #{cause.position} by {pending.sender}")


def _left(decision: Step) -> str:
    """The fields that the events of an accepted command changed, with their new values."""
    if not isinstance(decision, Executed) or not decision.events:
        return ""
    identity, after, is_new = decision.identity, decision.states[-1], decision.before is None
    before = begun(identity) if is_new else decision.before
    changed = list(dict.fromkeys(d.field for d in differences(before, after)))
    old, new = fields_of(before), fields_of(after)
    values = ", ".join(_value(name, old.get(name), new.get(name)) for name in changed[:3])
    if is_new:
        return f", {identity} is new" + (f", with {values}" if values else "")
    return f", {identity} now has {values}" if values else f", {identity} is unchanged"


def _value(name: str, before: Any, after: Any) -> str:
    """A field and its new value; of a long value that was there before, the first change inside it."""
    value = format_value(after, SHORT)
    found = change(before, after) if len(value) >= SHORT else None
    if found is None or not found.inner:
        return f"{name} {value}"
    more = f" and {plural(found.size - 1, 'more change', 'more changes')}" if found.size > 1 else ""
    return f"{next(lines(found, name, SHORT))}{more}"


def _of_manager(step: AtProcessManager) -> str:
    what = (
        f"the rejection of {stored_name(type(step.trigger.command))}"
        if isinstance(step.trigger, Rejected)
        else step.trigger.event_type
    )
    if step.verb == Verb.IGNORED:
        return f"{what} {step.verb}: {step.identity} is not there"
    sent = ", ".join(pending.command_type for pending in step.commands)
    if step.verb == Verb.ANSWERED:
        answered = f"{step.identity.category} answered {what}" + (f" with {sent}" if sent else "")
        return answered + of_deadlines(step)
    did = f"{step.identity} {step.verb} by {what}" + (f", sends {sent}" if sent else "")
    return did + of_deadlines(step)
