"""What the steps of a command tell: from whom to whom, each as a line of a sequence diagram."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from calamity_lab.errors import CalamityError, Rejected
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import (
    Appended,
    AtProcessManager,
    Conflicted,
    Dispatched,
    Executed,
    Populated,
    Refused,
    Step,
)
from calamity_lab.text import format_fields, format_value, plain_sentence, plural
from calamity_lab.trace.telling import fact, origin
from calamity_lab.trace.trace import Trace
from calamity_lab.views.cascade import last_moment
from calamity_lab.views.window import followed

Role = Literal["user", "aggregate", "event store", "process manager"]
Who = tuple[Role, str]

STORE: Who = ("event store", "Event store")

_MOST_EVENTS = 8
_MOST_REACTIONS = 24
_LABEL, _NOTE, _DETAIL = 80, 160, 300


class Told(NamedTuple):
    """A line of the diagram.

    ``kind`` is command, pending (a command not dispatched yet), decided (events that are not recorded),
    event (recorded), caught up, refused, conflict, started, continued, stopped, ignored, or more.
    ``block`` is the moment at which its command was dispatched, ``since`` the one from which on it holds,
    ``moment`` the one to go to.
    """

    key: str
    kind: str
    source: Who
    target: Who
    label: str
    detail: str
    note: str
    block: int
    since: int | None
    moment: int | None


def of_pending(pending: Pending) -> Iterator[Told]:
    """A command that waits on the agenda."""
    sender, note = _sender(pending), ""
    try:
        target: Who = ("aggregate", callbacks.target(pending.command).stream_id)
    except CalamityError as error:
        target, note = sender, plain_sentence(str(error), _NOTE)
    detail = plain_sentence(f"{_described(pending)}, on the agenda", _DETAIL)
    label = format_value(pending.command_type, _LABEL)
    yield Told(
        f"pending {pending.command_id}", "pending", sender, target, label, detail, note, -1, None, None
    )


def of_command(trace: Trace, start: int, cursor: int) -> Iterator[Told]:
    """What happened from a command's dispatch on, up to the next one's."""
    end = last_moment(trace, start)
    yield _dispatched(trace, start)
    for at in range(start + 1, end + 1):
        step = trace[at].step
        if isinstance(step, Appended):
            yield from _recorded(step, start, cursor)
            return (yield from _reactions(trace, start, at + 1, end, cursor))
        if isinstance(step, AtProcessManager):
            return (yield from _reactions(trace, start, at, end, cursor))
        following = trace[at + 1].step if at < end else None
        if step is not None and not isinstance(following, Appended):
            yield from _tried(step, start)


def _dispatched(trace: Trace, start: int) -> Told:
    moment = trace[start]
    if isinstance(moment.step, Dispatched):
        pending, target = moment.step.pending, moment.step.identity
    else:
        assert moment.run.progress is not None, "what was not dispatched in this trace is in progress"
        pending = moment.run.progress.pending
        target = callbacks.target(pending.command)
    return Told(
        f"{start}", "command", _sender(pending), _aggregate(target),
        format_value(pending.command_type, _LABEL), _described(pending), "", start, start, start,
    )  # fmt: skip


def _recorded(step: Appended, start: int, cursor: int) -> Iterator[Told]:
    """The events as they are recorded; between that and the decision they are with the aggregate alone."""
    at, aggregate = step.index, _aggregate(step.identity)
    decided = max(at - 1, start + 1)
    kind, to = ("decided", aggregate) if decided <= cursor < at else ("event", STORE)
    for n, event in enumerate(step.recorded[:_MOST_EVENTS]):
        yield Told(
            f"{at}.{n}", kind, aggregate, to, format_value(event.event_type, _LABEL), _event(event), "",
            start, decided, at,
        )  # fmt: skip
    left = len(step.recorded) - _MOST_EVENTS
    if left > 0:
        yield _more(f"{at}.more", aggregate, to, f"and {plural(left, 'further event')}", start, decided, at)


def _tried(step: Step, start: int) -> Iterator[Told]:
    """What happened at the aggregate without anything being recorded."""
    at, detail = step.index, format_value(fact(step), _DETAIL)
    match step:
        case Populated(identity=identity, count=count) if count:
            is_manager = hasattr(identity.type, "interested")
            who: Who = ("process manager", identity.stream_id) if is_manager else _aggregate(identity)
            label = f"caught up with {plural(count, 'event')}"
            yield Told(f"{at}", "caught up", STORE, who, label, detail, "", start, at, at)
        case Executed(identity=identity, events=events):
            who = _aggregate(identity)
            names = ", ".join(type(event).__name__ for event in events[:_MOST_EVENTS])
            label = format_value(names or "no event", _LABEL)
            yield Told(f"{at}", "decided", who, who, label, detail, "", start, at, at)
        case Refused(identity=identity, rejected=rejected):
            who, sender = _aggregate(identity), _sender(step.pending)
            label = format_value(f"{step.pending.command_type} refused", _LABEL)
            yield Told(
                f"{at}",
                "refused",
                who,
                sender,
                label,
                detail,
                plain_sentence(str(rejected), _NOTE),
                start,
                at,
                at,
            )
        case Conflicted(identity=identity, expected=expected, actual=actual):
            wanted = getattr(expected, "value", f"version {expected}")
            note = f"expected {wanted}, found version {actual}"
            yield Told(
                f"{at}", "conflict", STORE, _aggregate(identity), "conflict", detail, note, start, at, at
            )


def _reactions(trace: Trace, start: int, since: int, end: int, cursor: int) -> Iterator[Told]:
    """What process managers made of it; of many reactions those around the cursor."""
    count = end - since + 1
    left = followed(min(max(cursor - since + 1, 0), count), count, _MOST_REACTIONS) if count > 0 else 0
    if left:
        yield _more(f"{start}.before", STORE, STORE, f"{left:,} steps before", start, since, since)
    until = min(since + left + _MOST_REACTIONS, end + 1)
    for moment in trace.branch.moments.iterate(since + left, until):
        step = moment.step
        if isinstance(step, AtProcessManager):
            yield _reaction(step, start)
        elif isinstance(step, Populated):
            yield from _tried(step, start)
    if until <= end - 1:
        yield _more(f"{start}.after", STORE, STORE, f"{end - until:,} steps more", start, until, until)


def _reaction(step: AtProcessManager, start: int) -> Told:
    at, manager, detail = step.index, _manager(step.identity), format_value(fact(step), _DETAIL)
    kind = step.kind.lower()
    if not isinstance(step.trigger, Rejected):
        label = format_value(step.trigger.event_type, _LABEL)
        return Told(f"{at}", kind, STORE, manager, label, detail, "", start, at, at)
    sent = ", ".join(pending.command_type for pending in step.commands)
    missing = "is no longer there" if kind == "ignored" else "has no answer"
    label = format_value(f"answers with {sent}" if sent else missing, _LABEL)
    return Told(f"{at}", kind, manager, manager, label, detail, "", start, at, at)


def _more(key: str, source: Who, target: Who, label: str, block: int, since: int, moment: int) -> Told:
    return Told(key, "more", source, target, label, label, "", block, since, moment)


def _described(pending: Pending) -> str:
    fields = format_fields(pending.command, _DETAIL)
    return plain_sentence(f"{pending.command_type}({fields}), {origin(pending)}", _DETAIL)


def _event(event: RecordedEvent) -> str:
    return plain_sentence(
        f"{event.event_type} #{event.position}: {format_fields(event.event, _DETAIL)}", _DETAIL
    )


def _sender(pending: Pending) -> Who:
    if pending.sender is not None:
        return _manager(pending.sender)
    user = pending.metadata.get("user")
    return ("user", user if isinstance(user, str) and user else "User")


def _aggregate(identity: Identity) -> Who:
    return ("aggregate", identity.stream_id)


def _manager(identity: Identity) -> Who:
    return ("process manager", identity.stream_id)
