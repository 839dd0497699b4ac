"""What lies on the agenda at the cursor: the pending commands in order, and what caused each."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice
from typing import Any

from calamity_lab.errors import CalamityError
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.shown import shown, shown_fields
from calamity_lab.trace.telling import origin
from calamity_lab.trace.trace import Trace

IN_PROGRESS = -1
"""The place of the command in progress, which lies on the agenda no more."""

_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A pending command. ``target`` is its stream id, or why that cannot be told.

    ``origin`` tells who sent it and why, ``cause`` the moment to jump to for that: the one at which the
    event was recorded that the sender answered (0: before the trace began; None: it was submitted).
    """

    place: int
    command: str
    target: str
    fields: str
    origin: str
    sender: str | None
    cause: int | None
    depth: int
    command_id: str


@dataclass(frozen=True, slots=True)
class AgendaView:
    """The command in progress, if there is one, and the first of those that are pending."""

    total: int
    in_progress: Entry | None
    entries: tuple[Entry, ...]


def agenda(trace: Trace, cursor: int, *, limit: int = 50) -> AgendaView:
    """The agenda at the cursor, at most ``limit`` entries of it."""
    moment = trace[cursor]
    progress = moment.run.progress
    return AgendaView(
        total=len(moment.agenda),
        in_progress=None if progress is None else _entry(trace, IN_PROGRESS, progress.pending),
        entries=tuple(
            _entry(trace, place, pending)
            for place, pending in enumerate(islice(moment.agenda.entries(), max(limit, 0)))
        ),
    )


def moment_of(trace: Trace, event: RecordedEvent) -> int:
    """The moment at which an event was recorded; 0 where that was before the trace began."""
    index = trace.index
    place = bisect_left(index.events, event.position, key=lambda other: other.position)
    return index.event_moments[place] if place < len(index.event_moments) else 0


def _entry(trace: Trace, place: int, pending: Pending) -> Entry:
    return Entry(
        place=place,
        command=pending.command_type,
        target=_target(pending.command),
        fields=shown_fields(pending.command, _LENGTH),
        origin=origin(pending),
        sender=None if pending.sender is None else shown(pending.sender.stream_id),
        cause=None if pending.cause is None else moment_of(trace, pending.cause),
        depth=pending.depth,
        command_id=pending.command_id,
    )


def _target(command: Any) -> str:
    try:
        return shown(callbacks.target(command).stream_id, _LENGTH)
    except CalamityError as error:
        return shown(str(error), 2 * _LENGTH)
