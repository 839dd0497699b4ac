"""What a trace holds up to a moment, as rows: its steps, every state of its aggregates, every reaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from calamity_lab.errors import InvalidValue, Rejected
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import Appended, AtAggregate, AtProcessManager, Executed, Refused, Step
from calamity_lab.trace.telling import fact
from calamity_lab.trace.trace import Trace


class StepRow(NamedTuple):
    """A step, what it is about, and what caused its command.

    ``stream_id`` is the aggregate or process manager concerned; None when the command is completed.
    ``cause`` is the type and ``cause_position`` the position of the event whose answer the command is, and
    ``sender`` the process manager that gave it; None for a submitted command. ``reason`` is why a command
    was refused, at the step at which it was.
    """

    step: int
    kind: str
    command: str
    stream_id: str | None
    depth: int
    cause: str | None
    cause_position: int | None
    sender: str | None
    command_id: str
    correlation_id: str
    reason: str | None
    fact: str


class StateRow(NamedTuple):
    """The state of an aggregate after an event; ``moment`` is 0 for an event older than the trace."""

    position: int
    stream_id: str
    stream_version: int
    event_type: str
    moment: int
    recorded_at: datetime
    aggregate: str
    state: Any


class ReactionRow(NamedTuple):
    """What a process manager instance made of an event or a refusal, and its state afterwards.

    ``verb`` is started, continued, stopped or ignored. ``trigger`` is the event's type, and ``position``
    where it stands; or ``trigger`` is the type of the refused command, and ``refusal`` why it was refused.
    ``commands`` are the types of those sent. ``state`` is None once the instance is stopped.
    """

    moment: int
    stream_id: str
    verb: str
    trigger: str
    position: int | None
    refusal: str | None
    commands: tuple[str, ...]
    process_manager: str
    state: Any


def step_rows(trace: Trace, cursor: int | None = None) -> tuple[StepRow, ...]:
    """The steps up to the cursor (None: all of them), in order."""
    return tuple(_step_row(step) for step in _steps(trace, cursor))


def state_rows(
    trace: Trace, cursor: int | None = None, types: Mapping[str, type] | None = None
) -> tuple[StateRow, ...]:
    """The state of each aggregate after each event up to the cursor, in order of position.

    Events that are older than the trace are folded from ``new(id)``, where ``types`` has the class of that
    category; others of them are left out. An id that is read off a stream's name is a text.
    """
    return (*_older(trace, types or {}), *_recorded(trace, cursor))


def reaction_rows(trace: Trace, cursor: int | None = None) -> tuple[ReactionRow, ...]:
    """What process managers made of events and refusals up to the cursor, in order."""
    return tuple(_reaction_row(step) for step in _steps(trace, cursor) if isinstance(step, AtProcessManager))


def moment_of(trace: Trace, cursor: int | None) -> int:
    """The moment that a cursor means: None is the last one, a negative number counts from it."""
    if cursor is None:
        return trace.last
    if isinstance(cursor, bool) or not isinstance(cursor, int):
        raise InvalidValue(
            f"cursor={cursor!r}: a moment is a whole number from 0 to {trace.last}, None is the last"
        )
    return trace[cursor].index  # raises OutOfRange, which tells the moments there are


def _steps(trace: Trace, cursor: int | None) -> Iterator[Step]:
    for moment in trace.branch.moments.iterate(1, moment_of(trace, cursor) + 1):
        if moment.step is not None:
            yield moment.step


def _step_row(step: Step) -> StepRow:
    pending, cause = step.pending, step.cause
    return StepRow(
        step=step.index,
        kind=step.kind,
        command=pending.command_type,
        stream_id=step.identity.stream_id if isinstance(step, (AtAggregate, AtProcessManager)) else None,
        depth=step.depth,
        cause=None if cause is None else cause.event_type,
        cause_position=None if cause is None else cause.position,
        sender=None if pending.sender is None else pending.sender.stream_id,
        command_id=pending.command_id,
        correlation_id=pending.correlation_id,
        reason=step.reason if isinstance(step, Refused) else None,
        fact=fact(step),
    )


def _older(trace: Trace, types: Mapping[str, type]) -> Iterator[StateRow]:
    index = trace.index
    states: dict[str, Any] = {}
    for recorded in index.events.iterate(0, index.events_at(0)):
        identity = Identity.parse(recorded.stream_id)
        cls = types.get(identity.category)
        if cls is None:
            continue
        state = states.get(identity.stream_id)
        state = callbacks.new(cls, identity.id) if state is None else state
        state = states[identity.stream_id] = callbacks.apply(state, recorded.event)
        yield _state_row(recorded, 0, identity, state)


def _recorded(trace: Trace, cursor: int | None) -> Iterator[StateRow]:
    states: tuple[Any, ...] = ()
    for step in _steps(trace, cursor):
        if isinstance(step, Executed):
            states = step.states
        elif isinstance(step, Appended):
            for recorded, state in zip(step.recorded, states, strict=True):
                yield _state_row(recorded, step.index, step.identity, state)


def _state_row(recorded: RecordedEvent, moment: int, identity: Identity, state: Any) -> StateRow:
    return StateRow(
        recorded.position,
        recorded.stream_id,
        recorded.stream_version,
        recorded.event_type,
        moment,
        recorded.recorded_at,
        identity.category,
        state,
    )


def _reaction_row(step: AtProcessManager) -> ReactionRow:
    trigger = step.trigger
    refused = isinstance(trigger, Rejected)
    return ReactionRow(
        moment=step.index,
        stream_id=step.identity.stream_id,
        verb=step.kind.lower(),
        trigger=type(trigger.command).__name__ if isinstance(trigger, Rejected) else trigger.event_type,
        position=None if isinstance(trigger, Rejected) else trigger.position,
        refusal=str(trigger) if refused else None,
        commands=tuple(pending.command_type for pending in step.commands),
        process_manager=step.identity.category,
        state=step.after,
    )
