"""A model with deadlines, for tests: a seat is held for 15 minutes, and a reminder comes after 10."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from calamity_lab import (
    After,
    Cancel,
    Continue,
    Rejected,
    Stack,
    Start,
    Stop,
    command,
    seeded_ids,
    ticking_clock,
)

REMINDED = timedelta(minutes=10)
EXPIRED = timedelta(minutes=15)


@dataclass(frozen=True)
class SeatHeld:
    seat_id: str
    by: str


@dataclass(frozen=True)
class HoldExtended:
    seat_id: str


@dataclass(frozen=True)
class GuestReminded:
    seat_id: str


@dataclass(frozen=True)
class SeatSold:
    seat_id: str


@dataclass(frozen=True)
class HoldExpired:
    seat_id: str


@command(to="Seat", by="seat_id")
@dataclass(frozen=True)
class HoldSeat:
    seat_id: str
    by: str = "Noor"


@command(to="Seat", by="seat_id")
@dataclass(frozen=True)
class ExtendHold:
    seat_id: str


@command(to="Seat", by="seat_id")
@dataclass(frozen=True)
class RemindGuest:
    seat_id: str


@command(to="Seat", by="seat_id")
@dataclass(frozen=True)
class SellSeat:
    seat_id: str


@command(to="Seat", by="seat_id")
@dataclass(frozen=True)
class ExpireHold:
    seat_id: str


@dataclass(frozen=True)
class Seat:
    seat_id: str
    status: str = "free"

    @classmethod
    def new(cls, seat_id: str) -> Seat:
        return cls(seat_id)

    def execute(self, command: Any) -> Any:
        if isinstance(command, HoldSeat):
            if self.status != "free":
                raise Rejected("not free", status=self.status)
            return SeatHeld(self.seat_id, command.by)
        if self.status != "held":
            raise Rejected("not held", status=self.status)
        events = {
            ExtendHold: HoldExtended,
            RemindGuest: GuestReminded,
            SellSeat: SeatSold,
            ExpireHold: HoldExpired,
        }
        return events[type(command)](self.seat_id)

    def apply(self, event: Any) -> Seat:
        status = {SeatHeld: "held", SeatSold: "sold", HoldExpired: "free"}.get(type(event), self.status)
        return replace(self, status=status)


@dataclass(frozen=True)
class Holding:
    """Reminds the guest once, and ends the hold when it is due; an extended hold begins anew, unreminded."""

    seat_id: str
    reminded: bool = False

    @classmethod
    def new(cls, seat_id: str) -> Holding:
        return cls(seat_id)

    @classmethod
    def interested(cls, event: Any) -> Any:
        match event:
            case SeatHeld(seat_id, _):
                return Start(seat_id)
            case HoldExtended(seat_id) | GuestReminded(seat_id):
                return Continue(seat_id)
            case SeatSold(seat_id) | HoldExpired(seat_id):
                return Stop(seat_id)
        return None

    def apply(self, event: Any) -> Holding:
        return replace(self, reminded=self.reminded or isinstance(event, GuestReminded))

    def handle(self, event: Any) -> Any:
        match event:
            case SeatHeld(seat_id, _):
                return [
                    After(REMINDED, RemindGuest(seat_id), name="reminder"),
                    After(EXPIRED, ExpireHold(seat_id)),
                ]
            case HoldExtended(seat_id):
                return [Cancel("reminder"), After(EXPIRED, ExpireHold(seat_id))]
        return None


def theatre(**fields: Any) -> Stack:
    """A stack with the process manager; a clock of its own that ticks, and seeded ids."""
    given = {"clock": ticking_clock(), "ids": seeded_ids(7), **fields}
    return Stack(process_manager_types=(Holding,), **given)
