"""The agenda at the cursor: the pending commands in order, their causes, and a preview of each."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice

from calamity_lab.errors import CalamityError
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.faults import Fault
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.progress import Executing, Populating
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import Dispatched
from calamity_lab.probe.preview import NO_PREVIEW, Outcome, Preview, preview, target_of
from calamity_lab.text import format_fields, format_value
from calamity_lab.trace.sentences import origin
from calamity_lab.trace.trace import Trace

MOST_PREVIEWS = 12
"""Preview only this many pending commands."""

LENGTH = 200
"""The longest text of the fields of a command."""

UNDECIDED = (Dispatched, Populating, Executing)
"""The phases in which a command in progress is still undecided, so that it has a preview."""

_WORDS = Slot[tuple[str, str, str, str | None]](most=1_024)


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
class AgendaView:
    """The command in progress, if there is one, and the first pending commands."""

    total: int
    in_progress: AgendaEntry | None
    entries: tuple[AgendaEntry, ...]


def agenda(trace: Trace, cursor: int, *, limit: int = 50) -> AgendaView:
    """The agenda at the cursor, at most ``limit`` entries of it."""
    moment = trace[cursor]
    return AgendaView(
        total=len(moment.agenda),
        in_progress=_in_progress(trace, cursor),
        entries=tuple(
            _entry(trace, pending, _preview(trace, cursor, number, pending))
            for number, pending in enumerate(islice(moment.agenda.entries(), max(limit, 0)))
        ),
    )


def moment_of(trace: Trace, event: RecordedEvent) -> int:
    """The moment at which an event was recorded; 0 where that was before the trace began."""
    index = trace.index
    number = bisect_left(index.events, event.position, key=lambda other: other.position)
    return index.event_moments[number] if number < len(index.event_moments) else 0


def _in_progress(trace: Trace, cursor: int) -> AgendaEntry | None:
    progress = trace[cursor].run.progress
    if progress is None:
        return None
    # Once the command is decided, the steps say so.
    would = preview(trace, cursor, progress.pending) if isinstance(progress, UNDECIDED) else NO_PREVIEW
    return _entry(trace, progress.pending, would)


def _preview(trace: Trace, cursor: int, number: int, pending: Pending) -> Preview:
    return preview(trace, cursor, pending) if number < MOST_PREVIEWS else NO_PREVIEW


def _entry(trace: Trace, pending: Pending, would: Preview) -> AgendaEntry:
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
        format_fields(pending.command, LENGTH),
        origin(pending),
        None if pending.sender is None else format_value(pending.sender.stream_id),
    )


def target_text(pending: Pending) -> str:
    """The stream id of the aggregate that a command goes to, or why there is none; a fault goes to none."""
    if isinstance(pending.command, Fault):
        return ""
    try:
        return format_value(target_of(pending.command).stream_id, LENGTH)
    except CalamityError as error:
        return format_value(str(error), 2 * LENGTH)
