"""A model whose every callback takes the second argument: tickets that are numbered, dated and escalated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from calamity_lab import Context, Continue, RecordedEvent, Rejected, Start, command


@dataclass(frozen=True)
class TicketOpened:
    ticket_id: str
    number: str
    opened_at: datetime
    by: str


@dataclass(frozen=True)
class NoteAdded:
    ticket_id: str
    note_id: str
    follow_up_id: str


@command(to="Ticket", by="ticket_id")
@dataclass(frozen=True)
class OpenTicket:
    ticket_id: str


@command(to="Ticket", by="ticket_id")
@dataclass(frozen=True)
class AddNotes:
    ticket_id: str
    count: int = 1


@dataclass(frozen=True)
class Ticket:
    ticket_id: str
    number: str = ""
    heard: tuple[Any, ...] = ()

    @classmethod
    def new(cls, ticket_id: str) -> Ticket:
        return cls(ticket_id)

    def execute(self, command: Any, context: Context) -> Any:
        match command:
            case OpenTicket():
                user = context.metadata.get("user", context.correlation_id)
                return TicketOpened(self.ticket_id, context.new_id(), context.now, user)
            case AddNotes():
                if not self.number:
                    raise Rejected("not open", id=context.new_id(), now=context.now)
                return [
                    NoteAdded(self.ticket_id, context.new_id(), context.new_id())
                    for _ in range(command.count)
                ]

    def apply(self, event: Any, recorded: RecordedEvent) -> Ticket:
        about = (recorded.stream_version, recorded.position, recorded.event_id, recorded.recorded_at)
        known = (recorded.stream_id, recorded.causation_id, recorded.correlation_id, dict(recorded.metadata))
        number = event.number if isinstance(event, TicketOpened) else self.number
        return replace(self, number=number, heard=(*self.heard, (*about, *known)))


@dataclass(frozen=True)
class Desk:
    """Answers each ticket that is opened with a note; one desk for each category of streams."""

    desk_id: str
    heard: tuple[Any, ...] = ()

    @classmethod
    def interested(cls, event: Any, recorded: RecordedEvent) -> Any:
        desk = recorded.stream_id.partition("-")[0]
        return Start(desk) if isinstance(event, TicketOpened) else Continue(desk)

    @classmethod
    def new(cls, desk_id: str) -> Desk:
        return cls(desk_id)

    def apply(self, event: Any, recorded: RecordedEvent) -> Desk:
        return replace(self, heard=(*self.heard, (recorded.position, recorded.event_id)))

    def handle(self, event: Any, recorded: RecordedEvent) -> Any:
        if isinstance(event, TicketOpened):
            ticket = event.ticket_id if recorded.stream_version == 1 else "unknown"
            return [AddNotes(ticket, 2), AddNotes(f"not {ticket}")]
        return None

    def handle_rejection(self, rejected: Rejected, recorded: RecordedEvent) -> Any:
        return OpenTicket(f"{recorded.event.ticket_id}!") if recorded.position < 3 else None


TYPES = (TicketOpened, NoteAdded, OpenTicket, AddNotes, Ticket, Desk)
