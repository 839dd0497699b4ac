"""What can be found in a run: each thing as a line of a list, and as the text in which a query may stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.steps import Refused
from calamity_lab.text import format_fields, format_value
from calamity_lab.trace.index import Lane
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import LENGTH, target_of
from calamity_lab.views.events import LENGTH as EVENT_LENGTH
from calamity_lab.views.searched import small

Kind = Literal["stream", "event", "refusal", "pending"]
Shape = Literal["aggregate", "process manager", "event", "refused", "command"]

_LABEL = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """Something in which the query stands.

    ``moment`` is when it came to be (None: it is pending), ``place`` where a view has it: of an event its
    place among all, from 1; of a refusal its moment, negated; of a pending command its place on the agenda.
    """

    key: str
    kind: Kind
    shape: Shape
    label: str
    told: str
    moment: int | None
    is_past: bool
    stream_id: str | None = None
    position: int | None = None
    place: int | None = None
    command_id: str | None = None


def stream_hit(trace: Trace, place: int, cursor: int) -> Hit:
    """A stream, or a process manager instance."""
    lane = trace.index.lanes[place]
    shape: Shape = "process manager" if lane.is_manager else "aggregate"
    name = format_value(lane.identity.stream_id)
    return Hit(
        key=f"stream {place}",
        kind="stream",
        shape=shape,
        label=format_value(name, _LABEL),
        told="",
        moment=lane.since,
        is_past=lane.since <= cursor,
        stream_id=name,
    )


def is_named(lane: Lane, wanted: str) -> bool:
    """Whether the query is a stream's id, or that of its aggregate, in full."""
    name = lane_text(lane)
    return name == wanted or name.partition("-")[2] == wanted


def lane_text(lane: Lane) -> str:
    """What is found of a stream: its id."""
    return small(format_value(lane.identity.stream_id))


def event_hit(trace: Trace, place: int, cursor: int) -> Hit:
    """A recorded event."""
    event, moment = trace.index.events[place], trace.index.event_moments[place]
    return Hit(
        key=f"event {event.position}",
        kind="event",
        shape="event",
        label=f"{event.event_type} #{event.position}",
        told=format_fields(event.event, EVENT_LENGTH),
        moment=moment,
        is_past=moment <= cursor,
        stream_id=format_value(event.stream_id),
        position=event.position,
        place=place + 1,
    )


def refusal_at(trace: Trace, moment: int) -> Refused:
    """The refusal at a moment that the index has among the refused ones."""
    step = trace[moment].step
    assert isinstance(step, Refused), "the index knows the moments of refusals"
    return step


def refusal_text(step: Refused) -> str:
    """What is found of a refusal: the command and its fields, the reason, the stream, the ids."""
    return small(
        f"{step.pending.command_type} refused",
        format_value(str(step.rejected)),
        format_value(step.identity.stream_id),
        format_value(step.pending.command_id),
        format_value(step.pending.correlation_id),
        format_fields(step.command, LENGTH),
    )


def refusal_hit(trace: Trace, number: int, cursor: int) -> Hit:
    """A command that was refused."""
    moment = trace.index.refused[number]
    step = refusal_at(trace, moment)
    return Hit(
        key=f"refusal {moment}",
        kind="refusal",
        shape="refused",
        label=f"{step.pending.command_type} refused",
        told=format_value(str(step.rejected), LENGTH),
        moment=moment,
        is_past=moment <= cursor,
        stream_id=format_value(step.identity.stream_id),
        place=-moment,
        command_id=format_value(step.pending.command_id),
    )


def pending_hit(pending: Pending, place: int) -> Hit:
    """A command on the agenda."""
    target = target_of(pending.command)
    return Hit(
        key=f"pending {pending.command_id}",
        kind="pending",
        shape="command",
        label=pending.command_type,
        told=format_fields(pending.command, LENGTH),
        moment=None,
        is_past=False,
        stream_id=target,
        place=place,
        command_id=format_value(pending.command_id),
    )


@lru_cache(maxsize=1_024)
def pending_text(pending: Pending) -> str:
    """What is found of a pending command: its name and fields, its target, its id."""
    return small(
        pending.command_type,
        target_of(pending.command),
        format_value(pending.command_id),
        format_fields(pending.command, LENGTH),
    )
