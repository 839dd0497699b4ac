"""The instances of a process manager, and how far each has come."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Literal

from calamity_lab.errors import Rejected
from calamity_lab.kernel.fields import fields_of
from calamity_lab.kernel.steps import AtProcessManager, Step
from calamity_lab.text import format_value
from calamity_lab.trace.index import Lane
from calamity_lab.trace.trace import Trace
from calamity_lab.views.tally import Begun, tally

MOST = 50
"""So many instances are listed, the newest."""

# An instance that is started again and again is listed once; so many of its starts are passed over.
_MOST_PASSED = 500
_MOST_PENDING = 500
_STAGES = ("stage", "status", "state", "phase", "step")


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance and its stage.

    ``running``: a command that it sent is still to be done; ``waiting``: it waits for an event;
    ``stopped``: it is gone. ``started`` is the moment at which it was last started (or first met,
    where a history started it); ``lane`` is its place among the lanes of the trace's index.
    """

    id: str
    stream_id: str
    stage: str
    status: Literal["running", "stopped", "waiting"]
    started: int
    lane: int


def instances(
    trace: Trace, cursor: int, manager: str, wanted: str | None = None
) -> tuple[tuple[Instance, ...], str | None]:
    """The newest instances of a process manager at the cursor, and the id of the chosen one.

    ``wanted`` is an id, or a stream id. Without it the instance is chosen that the step is about, else the
    newest that has not stopped.
    """
    total = tally(trace, cursor)
    begun = list(islice(_newest(total.instances.get(manager)), MOST))
    at_work = _at_work(trace, cursor)
    extra = _wanted(trace, cursor, manager, wanted)
    if extra is not None and all(each.lane != extra.lane for each in begun):
        begun.append(extra)
    found = tuple(_instance(trace, cursor, each, total.living, at_work) for each in begun)
    return found, _chosen(trace, cursor, manager, found, wanted)


def about(step: Step | None) -> tuple[str, ...]:
    """The stream ids of the instances that a step is about: who took something in, whose command it is of."""
    found = [step.identity] if isinstance(step, AtProcessManager) else []
    if step is not None and step.pending.sender is not None:
        found.append(step.pending.sender)
    return tuple(dict.fromkeys(identity.stream_id for identity in found))


def _newest(begun: Any) -> Iterator[Begun]:
    """Each instance once, at its latest start."""
    seen: set[int] = set()
    for each in islice(reversed(begun or ()), _MOST_PASSED):
        if each.lane not in seen:
            seen.add(each.lane)
            yield each


def _wanted(trace: Trace, cursor: int, manager: str, wanted: str | None) -> Begun | None:
    """The instance asked for, where it is known at the cursor."""
    if wanted is None:
        return None
    index = trace.index
    for stream_id in (wanted, f"{manager}-{wanted}"):
        place = index.places.get(stream_id)
        if place is not None:
            lane = index.lanes[place]
            if lane.is_manager and lane.identity.category == manager and lane.since <= cursor:
                return Begun(place, lane.since)
    return None


def _chosen(
    trace: Trace, cursor: int, manager: str, found: tuple[Instance, ...], wanted: str | None
) -> str | None:
    known = {each.stream_id: each.id for each in found}
    concerned = [wanted or "", f"{manager}-{wanted}", *about(trace[cursor].step)]
    concerned += [each.stream_id for each in found if each.status != "stopped"]
    concerned += [each.stream_id for each in found[:1]]
    return next((known[format_value(each)] for each in concerned if format_value(each) in known), None)


def _at_work(trace: Trace, cursor: int) -> set[str]:
    """The stream ids of those whose commands are pending or in progress."""
    run = trace[cursor].run
    pending = list(islice(run.agenda.entries(), _MOST_PENDING))
    if run.progress is not None:
        pending.append(run.progress.pending)
    return {each.sender.stream_id for each in pending if each.sender is not None}


def _instance(trace: Trace, cursor: int, begun: Begun, living: int, at_work: set[str]) -> Instance:
    lane = trace.index.lanes[begun.lane]
    stream_id, id_ = lane.identity.stream_id, lane.identity.id
    last = _last_step(trace, cursor, stream_id)
    alive = bool(living >> begun.lane & 1)
    status: Literal["running", "stopped", "waiting"] = "stopped"
    if alive:
        status = "running" if stream_id in at_work else "waiting"
    return Instance(
        id=format_value(id_),
        stream_id=format_value(stream_id),
        stage=_stage(trace, cursor, lane, last),
        status=status,
        started=begun.moment,
        lane=begun.lane,
    )


def _last_step(trace: Trace, cursor: int, stream_id: str) -> AtProcessManager | None:
    """The instance's latest reaction up to the cursor."""
    moments = trace.index.reactions.get(stream_id, ())
    place = bisect_right(moments, cursor)
    step = trace[moments[place - 1]].step if place else None
    return step if isinstance(step, AtProcessManager) else None


def _stage(trace: Trace, cursor: int, lane: Lane, last: AtProcessManager | None) -> str:
    """How far an instance has come, in the model's own words where it has any."""
    state = trace[cursor].stack.process_managers.get(lane.identity.stream_id)
    if state is None:
        return "" if last is None else f"stopped by {_trigger(last)}"
    fields = fields_of(state)
    for name in _STAGES:
        if name in fields:
            return format_value(fields[name], 60)
    for value in fields.values():
        if isinstance(value, Enum):
            return format_value(value, 60)
    return "" if last is None else f"after {_trigger(last)}"


def _trigger(step: AtProcessManager) -> str:
    if isinstance(step.trigger, Rejected):
        return f"{step.pending.command_type} was refused"
    return step.trigger.event_type
