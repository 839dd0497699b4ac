"""Steps told in sentences, for live regions, logs and reprs."""

from __future__ import annotations

from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel.fields import fields_of
from calamity_lab.kernel.steps import (
    Appended,
    AtProcessManager,
    Completed,
    Conflicted,
    Dispatched,
    Executed,
    Ignored,
    Populated,
    Refused,
    Step,
)
from calamity_lab.trace.differences import differences


def sentence(step: Step | None) -> str:
    """What happened at a step, as one sentence with its number."""
    if step is None:
        return "Nothing has happened yet"
    return f"Step {step.index:,}: {fact(step)}"


def fact(step: Step) -> str:
    """What happened at a step, without its number."""
    command = type(step.command).__name__
    match step:
        case Dispatched(identity=identity):
            return f"{command} dispatched to {identity}"
        case Populated(identity=identity, count=count):
            caught_up = f"caught up with {counted(count, 'event')}"
            return f"{identity} {caught_up if count else 'is new: its stream has no events'}"
        case Executed(events=events, identity=identity):
            outcome = f"{counted(len(events), 'event')}{_now(identity, step)}" if events else "no event"
            return f"{command} accepted, {outcome}"
        case Refused(rejected=rejected):
            return f"{command} refused: {rejected}"
        case Appended(recorded=recorded, identity=identity):
            names = ", ".join(event.event_type for event in recorded)
            places = ", ".join(str(event.position) for event in recorded)
            return f"{names} recorded in {identity} at position {places}"
        case Conflicted(identity=identity, expected=expected, actual=actual):
            wanted = getattr(expected, "value", expected)
            return f"{identity} moved on (expected {wanted}, found version {actual}), {command} tried again"
        case AtProcessManager():
            return _of_manager(step)
        case Completed():
            return f"{command} completed"
    return f"{step.kind} of {command}"


def counted(count: int, noun: str) -> str:
    """A number and its noun, as in "1 event" and "1,200 events"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def brief(value: Any, length: int = 60) -> str:
    """A value as a short text."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _now(identity: Any, step: Executed) -> str:
    """The fields that the events changed, with their new values."""
    after = fields_of(step.states[-1])
    if step.before is None:
        return f", {identity} is new"
    changed = list(dict.fromkeys(d.field for d in differences(step.before, step.states[-1])))
    if not changed:
        return f", {identity} is unchanged"
    told = ", ".join(f"{name} {brief(after.get(name), 40)}" for name in changed[:3])
    return f", {identity} now has {told}"


def _of_manager(step: AtProcessManager) -> str:
    what = (
        f"the refusal of {type(step.trigger.command).__name__}"
        if isinstance(step.trigger, Rejected)
        else step.trigger.event_type
    )
    verb = step.kind.lower()
    if isinstance(step, Ignored):
        return f"{what} ignored: {step.identity} is not there"
    sent = ", ".join(pending.command_type for pending in step.commands)
    return f"{step.identity} {verb} by {what}" + (f", sends {sent}" if sent else "")
