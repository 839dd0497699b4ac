"""What an instance waits for, who is to bring it about, and whether it is overdue.

An event is *overdue* when it will not come of what was done for it, and nobody else brings it about:

1. the instance waits for it, and the commands that it sent last lead to it;
2. all of these are done (accepted, refused, or taken off the agenda), and none brought it;
3. of the cascades that the instance takes part in nothing is pending that could still lead to it, be it by
   way of other process managers;
4. no one else sends a command that leads to it: no people, and no other type of process manager.

So no clock is needed: it is known at the step at which the last of those commands is done. A wait for what
people or other process managers send is a wait, however long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel.run import Run
from calamity_lab.model import Model
from calamity_lab.text import format_value
from calamity_lab.views.bringing import Bringing
from calamity_lab.views.life import Life, Sent, pending_at
from calamity_lab.views.possible import awaited

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Awaiting:
    """The event types that an instance waits for, those of them that are overdue, and why, in words."""

    events: tuple[str, ...] = ()
    overdue: frozenset[str] = frozenset()
    told: str = ""


def awaiting(model: Model, ways: Bringing, run: Run, manager: str, id_: Any, life: Life) -> Awaiting:
    """What an instance that is alive waits for."""
    if manager not in {cls.__name__ for cls in model.process_managers}:
        return Awaiting()
    listens = awaited(model, manager, id_)
    answered = {step.pending.command_id for step in life.reactions}
    pending = [s for s in life.sent if s.is_open and s.pending.command_id not in answered]
    if expected := _of(listens, ways.events_of(_types(pending))):
        return Awaiting(expected, told=_named(expected) + _on_the_way(ways, expected, pending))
    missed = _missed(life)
    if expected := _of(listens, ways.events_of(_types(missed)) - _since(life)):
        return _of_missed(ways, run, manager, life, expected, missed)
    others = [event for event in listens if ways.others_for(event, manager)]
    if others:
        return Awaiting(tuple(others), told=_named(others) + _by_others(ways, others, manager))
    # What it sent before the trace began is not known.
    known = ", and has sent nothing that leads to it" if life.reactions else ""
    return Awaiting(listens, told=_named(listens) + known)


def _of_missed(
    ways: Bringing, run: Run, manager: str, life: Life, events: tuple[str, ...], missed: Sequence[Sent]
) -> Awaiting:
    """The wait for events that the commands sent for them did not bring."""
    reached = _still_reached(ways, run, life)
    late = [e for e in events if e not in reached and not ways.others_for(e, manager)]
    why = "; ".join(_what_came_of(each) for each in _leading(ways, missed, events)[:_MOST_NAMED])
    if late:
        verb = "is" if len(late) == 1 else "are"
        return Awaiting(
            events,
            frozenset(late),
            f"{_named(events)}, which {verb} overdue: {why}, and nothing else leads there",
        )
    return Awaiting(events, told=f"{_named(events)}{_by_others(ways, events, manager)} ({why})")


def _types(sent: Iterable[Sent]) -> set[str]:
    return {each.pending.command_type for each in sent}


def _of(listens: tuple[str, ...], events: set[str]) -> tuple[str, ...]:
    return tuple(event for event in listens if event in events)


def _missed(life: Life) -> list[Sent]:
    """The commands sent last that are done and brought nothing that the instance took in."""
    brought = {s.pending.command_id for s in life.reactions if not isinstance(s.trigger, Rejected)}
    return [e for e in life.sent_last if not e.is_open and e.pending.command_id not in brought]


def _since(life: Life) -> set[str]:
    """The events that were taken in since the last commands were sent: others brought them."""
    last = life.sent[-1].sent if life.sent else 0
    later = (step.trigger for step in life.reactions if step.index > last)
    return {trigger.event_type for trigger in later if not isinstance(trigger, Rejected)}


def _still_reached(ways: Bringing, run: Run, life: Life) -> set[str]:
    """The events that what is pending of the instance's cascades may still lead to."""
    begun = [] if run.progress is None else [run.progress.pending]
    cascades = life.cascades
    types = {e.command_type for e in [*begun, *pending_at(run)] if e.correlation_id in cascades}
    return {event for command in types for event in ways.reached_by(command)}


def _leading(ways: Bringing, sent: Sequence[Sent], events: Iterable[str]) -> list[Sent]:
    wanted = set(events)
    return [each for each in sent if wanted & ways.events_of([each.pending.command_type])]


def _named(names: Sequence[str]) -> str:
    """Some names, as in ``"FundsDeposited or FundsRefunded"``."""
    if len(names) <= _MOST_NAMED:
        return " or ".join(names)
    return f"{', '.join(names[: _MOST_NAMED - 1])} or one of {len(names) - _MOST_NAMED + 1} others"


def _on_the_way(ways: Bringing, events: tuple[str, ...], pending: Sequence[Sent]) -> str:
    leading = _leading(ways, pending, events)
    is_decided = all(each.outcome == "accepted" for each in leading)
    names = _named(list(dict.fromkeys(each.pending.command_type for each in leading)))
    told = f": {names} {'was just accepted' if is_decided else 'is on its way'}"
    answered = next((each.answers for each in leading if each.answers is not None), None)
    if answered is None:
        return told
    refused = type(answered.command).__name__
    return f"{told}, sent because {refused} was refused ({format_value(answered.reason, 60)})"


def _by_others(ways: Bringing, events: Sequence[str], manager: str) -> str:
    """Who else brings the events about: people outside, or other process managers."""
    commands = list(dict.fromkeys(c for event in events for c in ways.others_for(event, manager)))
    outside = [command for command in commands if not ways.senders_of(command)]
    senders = sorted({sender for command in commands for sender in ways.senders_of(command)})
    who, what = ("somebody outside", outside) if outside else (_named(senders), commands)
    return f": {who} has to send {_named(what)}"


def _what_came_of(each: Sent) -> str:
    name, step = each.pending.command_type, each.decision
    match each.outcome:
        case "refused":
            reason = getattr(step, "reason", "")
            return f"{name} was refused at step {_at(each)}" + (
                f" ({format_value(reason, 60)})" if reason else ""
            )
        case "accepted":
            return f"{name} was accepted at step {_at(each)} and did not bring it"
        case "dropped":
            return f"{name} was taken off the agenda"
    return f"{name} was sent at step {each.sent:,}"


def _at(each: Sent) -> str:
    return f"{each.decision.index:,}" if each.decision is not None else "0"
