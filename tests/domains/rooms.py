"""Rooms that are booked by the hour: an aggregate as two functions, `decide` and `evolve`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from calamity_lab import Decider, Rejected, command


@dataclass(frozen=True)
class Slot:
    start: datetime
    end: datetime

    def overlaps(self, other: Slot) -> bool:
        return self.start < other.end and other.start < self.end


@command(to="Room", by="room")
@dataclass(frozen=True)
class BookRoom:
    room: str
    team: str
    slot: Slot


@command(to="Room", by="room")
@dataclass(frozen=True)
class CancelBooking:
    room: str
    team: str


@dataclass(frozen=True)
class RoomBooked:
    room: str
    team: str
    slot: Slot


@dataclass(frozen=True)
class BookingCancelled:
    room: str
    team: str


@dataclass(frozen=True)
class Bookings:
    slots: dict[str, Slot] = field(default_factory=dict)


def decide(command: BookRoom | CancelBooking, bookings: Bookings) -> Any:
    match command:
        case BookRoom(room, team, slot):
            if slot.end <= slot.start:
                raise Rejected("a booking ends after it starts")
            for other, taken in bookings.slots.items():
                if slot.overlaps(taken):
                    raise Rejected("taken", by=other)
            return RoomBooked(room, team, slot)
        case CancelBooking(room, team):
            return BookingCancelled(room, team) if team in bookings.slots else None


def evolve(bookings: Bookings, event: RoomBooked | BookingCancelled) -> Bookings:
    match event:
        case RoomBooked(team=team, slot=slot):
            return replace(bookings, slots={**bookings.slots, team: slot})
        case BookingCancelled(team=team):
            return replace(bookings, slots={t: s for t, s in bookings.slots.items() if t != team})


Room = Decider("Room", Bookings(), decide, evolve)
