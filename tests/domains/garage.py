"""A parking garage: msgspec structs, a fee by the hour, and a process manager that opens the barrier."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from calamity_lab import Rejected, Start, Stop, command

CENTS_PER_HOUR = 250


@command(to="Ticket", by="number")
class Enter(msgspec.Struct, frozen=True):
    number: int
    plate: str


@command(to="Ticket", by="number")
class Pay(msgspec.Struct, frozen=True):
    number: int
    cents: int


@command(to="Barrier", by="lane")
class OpenBarrier(msgspec.Struct, frozen=True):
    lane: str
    number: int


@command(to="Barrier", by="lane")
class CloseLane(msgspec.Struct, frozen=True):
    lane: str


class Entered(msgspec.Struct, frozen=True):
    number: int
    plate: str
    at: datetime


class Paid(msgspec.Struct, frozen=True):
    number: int
    cents: int


class BarrierOpened(msgspec.Struct, frozen=True):
    lane: str
    number: int


class LaneClosed(msgspec.Struct, frozen=True):
    lane: str


class Ticket(msgspec.Struct, frozen=True):
    number: int
    plate: str | None = None
    since: datetime | None = None
    paid: int | None = None

    @classmethod
    def new(cls, number: int) -> Ticket:
        return cls(number)

    def fee(self, now: datetime) -> int:
        assert self.since is not None
        begun = -(-(now - self.since).total_seconds() // 3600)
        return max(1, int(begun)) * CENTS_PER_HOUR

    def execute(self, command: Any, context: Any) -> Any:
        match command:
            case Enter():
                if self.since is not None:
                    raise Rejected("ticket in use", plate=self.plate)
                return Entered(self.number, command.plate, context.now)
            case Pay():
                if self.since is None:
                    raise Rejected("no such ticket")
                if command.cents < self.fee(context.now):
                    raise Rejected("not enough", fee=self.fee(context.now), given=command.cents)
                return Paid(self.number, command.cents)

    def apply(self, event: Any) -> Ticket:
        match event:
            case Entered():
                return msgspec.structs.replace(self, plate=event.plate, since=event.at)
            case Paid():
                return msgspec.structs.replace(self, paid=event.cents)
        return self


class Barrier(msgspec.Struct, frozen=True):
    lane: str
    opened: int = 0
    closed: bool = False

    @classmethod
    def new(cls, lane: str) -> Barrier:
        return cls(lane)

    def execute(self, command: Any) -> Any:
        match command:
            case OpenBarrier():
                if self.closed:
                    raise Rejected("lane closed", lane=self.lane)
                return BarrierOpened(self.lane, command.number)
            case CloseLane():
                return LaneClosed(self.lane)

    def apply(self, event: Any) -> Barrier:
        match event:
            case BarrierOpened():
                return msgspec.structs.replace(self, opened=self.opened + 1)
            case LaneClosed():
                return msgspec.structs.replace(self, closed=True)
        return self


class Exit(msgspec.Struct, frozen=True):
    """Lets a car out once it has paid; takes the right lane where the left one is closed."""

    number: int

    @classmethod
    def interested(cls, event: Any) -> Any:
        match event:
            case Paid():
                return Start(event.number)
            case BarrierOpened():
                return Stop(event.number)

    @classmethod
    def new(cls, number: int) -> Exit:
        return cls(number)

    def apply(self, event: Any) -> Exit:
        return self

    def handle(self, event: Any) -> Any:
        return OpenBarrier("left", self.number)

    def handle_rejection(self, rejected: Rejected) -> Any:
        return OpenBarrier("right", self.number) if rejected.details["lane"] == "left" else None


MORNING = datetime(2026, 5, 4, 8, tzinfo=UTC)
