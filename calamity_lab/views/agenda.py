"""The agenda at the cursor: the pending commands in order, their causes, and a preview of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any

from calamity_lab.errors import CalamityError, InvalidValue, repr_of
from calamity_lab.kernel import outbox
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.faults import ClockJump, ConcurrentWriter, Crash, Fault, Lose, Redeliver
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.progress import Appending, Executing, Populating, Wait
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.steps import Dispatched
from calamity_lab.probe.preview import (
    NO_PREVIEW,
    Outcome,
    Preview,
    other_writer,
    preview,
    target_of,
    when_answered,
)
from calamity_lab.text import format_fields, format_value, plain_sentence, point_in_time
from calamity_lab.trace.selection import Note
from calamity_lab.trace.sentences import origin, sent_by
from calamity_lab.trace.trace import Trace
from calamity_lab.views.chart import ordinal
from calamity_lab.views.controls import due_words, time_of

MOST_PREVIEWS = 12
"""Preview only this many pending commands."""

MOST_DUE = 5
"""Show only this many deadlines, the first ones."""

LENGTH = 200
"""The longest text of the fields of a command."""

UNDECIDED = (Dispatched, Populating, Executing)
"""The phases in which a command in progress is still undecided, so that it has a preview."""

NO_COMMANDS = (Fault, Wait)
"""What stands in the place of a command, and goes to no aggregate."""

_WORDS = Slot[tuple[str, str, str, str | None]](most=1_024)
_ENTRIES = Slot["AgendaEntry"](most=1_024)


@dataclass(frozen=True, slots=True)
class AgendaEntry:
    """A pending command. ``target`` is the stream id of its aggregate, or why there is none.

    The entry does not have its index on the agenda, so that it stays equal while the command waits.
    ``origin`` says who sent it and why. ``cause`` is the moment at which the event was recorded that the
    sender answered (0: before the trace began; None: it was submitted). ``preview`` says what the command
    would lead to if it came next, and ``outcome`` is the same in a word. Commands before it may change this.
    """

    command_id: str
    command: str
    target: str
    fields: str
    origin: str
    sender: str | None
    cause: int | None
    depth: int
    outcome: Outcome
    preview: str


@dataclass(frozen=True, slots=True)
class DueEntry:
    """A deadline that is set: its name, its command, which instance set it, and when it is due.

    ``cause`` is the moment of the event because of which it was set (see `AgendaEntry`), and ``origin`` says
    it in words. ``far`` is how far off it is, as in "in 15 min".
    """

    command_id: str
    deadline: str
    command: str
    origin: str
    cause: int | None
    due_at: str
    far: str
    is_overdue: bool

    @property
    def when(self) -> str:
        """When it is due, as in "due in 15 min, 2026-01-01 00:15:00 UTC"."""
        return f"due {self.far}, {self.due_at}" if self.far else f"due {self.due_at}"


@dataclass(frozen=True, slots=True)
class ArmedEntry:
    """An armed fault, and what it waits for."""

    fault_id: str
    fault: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class FaultOffer:
    """A fault that can be injected; ``arguments`` are what `fault_of` makes it from."""

    label: str
    title: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A finding that a person kept: its number among all, and where it leads. ``is_here``: to this branch."""

    number: int
    text: str
    branch: str
    moment: int
    is_here: bool


@dataclass(frozen=True, slots=True)
class AgendaView:
    """The command in progress, if there is one, and the first pending commands.

    ``armed`` are the faults that wait for their moment, and ``faults`` those that a person can inject now.
    ``notes`` are the findings that were kept. ``due`` are the first of the ``deadlines`` that are set.
    """

    total: int
    in_progress: AgendaEntry | None
    entries: tuple[AgendaEntry, ...]
    armed: tuple[ArmedEntry, ...] = ()
    faults: tuple[FaultOffer, ...] = ()
    notes: tuple[NoteRow, ...] = ()
    due: tuple[DueEntry, ...] = ()
    deadlines: int = 0


def agenda(
    trace: Trace, cursor: int, *, limit: int = 50, offers: bool = True, notes: Sequence[Note] = ()
) -> AgendaView:
    """The agenda at the cursor, at most ``limit`` entries of it; with ``offers`` also faults to inject."""
    moment = trace[cursor]
    return AgendaView(
        total=len(moment.agenda),
        in_progress=_in_progress(trace, cursor),
        entries=tuple(
            _entry(trace, pending, _preview(trace, cursor, number, pending))
            for number, pending in enumerate(islice(moment.agenda.entries(), max(limit, 0)))
        ),
        armed=tuple(
            ArmedEntry(
                fault_id,
                plain_sentence(repr_of(fault).removesuffix("()"), LENGTH),
                plain_sentence(fault.waits_for, LENGTH),
            )
            for fault, fault_id in moment.run.faults[:MOST_PREVIEWS]
        ),
        faults=tuple(_offers(trace, cursor)) if offers else (),
        notes=tuple(
            NoteRow(
                number,
                format_value(note.text, LENGTH),
                format_value(note.branch),
                note.moment.index,
                note.branch == trace.branch.name,
            )
            for number, note in enumerate(notes)
        ),
        due=tuple(_due(trace, cursor)),
        deadlines=len(moment.stack.deadlines),
    )


def _due(trace: Trace, cursor: int) -> Iterator[DueEntry]:
    """The first deadlines, in order of when they are due."""
    now = time_of(trace, cursor)
    for each in islice(trace[cursor].stack.deadlines, MOST_DUE):
        if each.due_at is not None:
            yield DueEntry(
                command_id=each.command_id,
                deadline=plain_sentence(str(each.deadline), LENGTH),
                command=each.command_type,
                origin=sent_by(each),
                cause=None if each.cause is None else moment_of(trace, each.cause),
                due_at=point_in_time(each.due_at),
                far=due_words(trace, cursor, each.due_at),
                is_overdue=now is not None and each.due_at < now,
            )


def fault_of(trace: Trace, cursor: int, arguments: Mapping[str, Any]) -> Fault:
    """The fault that a person chose: from the arguments of an offer, or of an action in the details."""
    moment, command_id, position = trace[cursor], arguments.get("command_id"), arguments.get("position")
    match arguments.get("fault"):
        case "crash":
            return Crash()
        case "clock" if type(arguments.get("hours")) is int:
            return ClockJump(timedelta(hours=arguments["hours"]))
        case "redeliver" if type(position) is int:
            return Redeliver(_event_at(trace, position))
        case "writer" if type(position) is int:
            event = _event_at(trace, position)
            return ConcurrentWriter(event.stream_id, event.event)
        case "lose" if isinstance(command_id, str):
            return Lose(moment.agenda.find(command_id))
        case "writer" if isinstance(command_id, str):
            return other_writer(moment.stack, _waiting(moment.run, command_id).command)
    raise InvalidValue(f"There is no such fault: {repr_of(dict(arguments))}")


def faults_on(pending: Pending, *, is_running: bool = False) -> Iterator[FaultOffer]:
    """The faults that concern a command that is pending, or is in progress."""
    name, which = pending.command_type, {"command_id": pending.command_id}
    title = f"Another writer carries out {name} before it: the append conflicts"
    yield FaultOffer("Another writer first", title, {"fault": "writer", **which})
    if pending.sender is not None and not is_running:
        title = f"{name} is lost on its way: it is never carried out"
        yield FaultOffer("Lose", title, {"fault": "lose", **which})


def faults_on_event(event: RecordedEvent) -> Iterator[FaultOffer]:
    """The faults that concern a recorded event."""
    which, name = {"position": event.position}, event.event_type
    title = f"{name} #{event.position} reaches the process managers a second time"
    yield FaultOffer("Hand on again", title, {"fault": "redeliver", **which})
    title = f"Another writer records {name} in {event.stream_id} before the next append to it"
    yield FaultOffer("Another writer here", title, {"fault": "writer", **which})


def _offers(trace: Trace, cursor: int) -> Iterator[FaultOffer]:
    """The faults that a person can inject at the cursor."""
    moment, known = trace[cursor], trace.index.events_at(cursor)
    run, types = moment.run, moment.stack.process_manager_types
    pending = _undecided(run)
    if not outbox.sets_aside(moment.stack.event_store):
        yield FaultOffer(
            "Crash",
            "The process ends after the next append and recovers; submitted commands that wait are lost",
            {"fault": "crash"},
        )
    if pending is not None:
        for each in faults_on(pending, is_running=run.progress is not None):
            yield replace(each, label=f"{each.label}: {pending.command_type}")
    if known and types and not outbox.is_durable(moment.stack.event_store):
        event = trace.index.events[known - 1]
        offer = next(faults_on_event(event))
        yield replace(offer, label=f"{offer.label}: {event.event_type} #{event.position}")
    for hours, label in ((1, "Clock 1 hour ahead"), (24, "Clock 1 day ahead"), (-1, "Clock 1 hour back")):
        yield FaultOffer(label, "The clock jumps, from the next step on", {"fault": "clock", "hours": hours})


def _undecided(run: Run) -> Pending | None:
    """The command in progress, if its events are not recorded yet; else the next one."""
    progress = run.progress
    if isinstance(progress, (*UNDECIDED, Appending)):
        return progress.pending
    return next(run.agenda.entries(), None)


def _waiting(run: Run, command_id: str) -> Pending:
    """The command in progress or a pending one, by its id."""
    found = _undecided(run)
    return found if found is not None and found.command_id == command_id else run.agenda.find(command_id)


def _event_at(trace: Trace, position: int) -> RecordedEvent:
    """The event at a position."""
    number = ordinal(trace, position)
    if not number:
        raise InvalidValue(f"There is no event at position {position:,} on this branch")
    return trace.index.events[number - 1]


def moment_of(trace: Trace, event: RecordedEvent) -> int:
    """The moment at which an event was recorded; 0 where that was before the trace began."""
    number = ordinal(trace, event.position)
    return trace.index.event_moments[number - 1] if number else 0


def _in_progress(trace: Trace, cursor: int) -> AgendaEntry | None:
    progress = trace[cursor].run.progress
    if progress is None:
        return None
    # Once the command is decided, the steps say so.
    would = preview(trace, cursor, progress.pending) if isinstance(progress, UNDECIDED) else NO_PREVIEW
    return _entry(trace, progress.pending, would)


def when_previewed(trace: Trace, key: object, call: Callable[[], object]) -> None:
    """Call once a preview has come that the agenda does not show yet: from another thread, once per key."""
    when_answered(trace, key, call)


def _preview(trace: Trace, cursor: int, number: int, pending: Pending) -> Preview:
    return preview(trace, cursor, pending) if number < MOST_PREVIEWS else NO_PREVIEW


def _entry(trace: Trace, pending: Pending, would: Preview) -> AgendaEntry:
    """The entry of a command: the same object as long as its preview is the same."""
    return trace.memo.once(_ENTRIES, lambda: _new_entry(trace, pending, would), pending, key=would)


def _new_entry(trace: Trace, pending: Pending, would: Preview) -> AgendaEntry:
    target, fields, came_from, sender = trace.memo.once(_WORDS, lambda: _words(pending), pending)
    return AgendaEntry(
        command_id=pending.command_id,
        command=pending.command_type,
        target=target,
        fields=fields,
        origin=came_from,
        sender=sender,
        cause=None if pending.cause is None else moment_of(trace, pending.cause),
        depth=pending.depth,
        outcome=would.outcome,
        preview=would.sentence,
    )


def _words(pending: Pending) -> tuple[str, str, str, str | None]:
    """The texts of a command that do not change while it waits: target, fields, origin and sender."""
    return (
        target_text(pending),
        repr_of(pending.command)
        if isinstance(pending.command, NO_COMMANDS)
        else format_fields(pending.command, LENGTH),
        origin(pending),
        None if pending.sender is None else format_value(pending.sender.stream_id),
    )


def target_text(pending: Pending) -> str:
    """The stream id of the aggregate that a command goes to, or why there is none.

    A fault goes to none, and neither does a wait.
    """
    if isinstance(pending.command, NO_COMMANDS):
        return ""
    try:
        return format_value(target_of(pending.command).stream_id, LENGTH)
    except CalamityError as error:
        return format_value(str(error), 2 * LENGTH)
