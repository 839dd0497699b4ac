"""A theatre: seats that are held and sold, and how many are free, for a whole house and without a key."""

from __future__ import annotations

from typing import Any

import attrs

from calamity_lab import Rejected, command


@command(to="Performance", by="evening")
@attrs.frozen
class OpenSale:
    evening: str
    seats: int


@command(to="Performance", by="evening")
@attrs.frozen
class SellSeat:
    evening: str
    seat: int
    guest: str


@attrs.frozen
class SaleOpened:
    evening: str
    seats: int


@attrs.frozen
class SeatSold:
    evening: str
    seat: int
    guest: str


@attrs.frozen
class SoldOut:
    evening: str


@attrs.frozen
class Performance:
    evening: str
    seats: int = 0
    sold: frozenset[int] = frozenset()

    @classmethod
    def new(cls, evening: str) -> Performance:
        return cls(evening)

    def execute(self, command: Any) -> Any:
        return getattr(self, f"_{type(command).__name__.lower()}")(command)

    def _opensale(self, command: OpenSale) -> SaleOpened:
        return SaleOpened(self.evening, command.seats)

    def _sellseat(self, command: SellSeat) -> list[Any]:
        if command.seat in self.sold or not 0 < command.seat <= self.seats:
            raise Rejected("no such free seat", seat=command.seat)
        events: list[Any] = [SeatSold(self.evening, command.seat, command.guest)]
        return [*events, SoldOut(self.evening)] if len(self.sold) + 1 == self.seats else events

    def apply(self, event: Any) -> Performance:
        match event:
            case SaleOpened(seats=seats):
                return attrs.evolve(self, seats=seats)
            case SeatSold(seat=seat):
                return attrs.evolve(self, sold=self.sold | {seat})
        return self


@attrs.frozen
class SeatsFree:
    """A projection: what the box office shows on its screen."""

    by_evening: dict[str, int] = attrs.Factory(dict)
    sold_out: tuple[str, ...] = ()

    @classmethod
    def new(cls) -> SeatsFree:
        return cls()

    def apply(self, event: Any) -> SeatsFree:
        match event:
            case SaleOpened(evening=evening, seats=seats):
                return attrs.evolve(self, by_evening={**self.by_evening, evening: seats})
            case SeatSold(evening=evening):
                return attrs.evolve(
                    self, by_evening={**self.by_evening, evening: self.by_evening[evening] - 1}
                )
            case SoldOut(evening=evening):
                return attrs.evolve(self, sold_out=(*self.sold_out, evening))
        return self
