"""A model in which one event concerns several instances: each trade has a buyer, a seller and a witness."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from calamity_lab import Continue, Start, Stop, command


@dataclass(frozen=True)
class Traded:
    buyer: str
    seller: str
    price: int


@dataclass(frozen=True)
class Left:
    trader: str
    heir: str


@dataclass(frozen=True)
class Thanked:
    trader: str


@command(to="Market", by="market")
@dataclass(frozen=True)
class Trade:
    market: str
    buyer: str
    seller: str
    price: int = 1


@command(to="Market", by="market")
@dataclass(frozen=True)
class Leave:
    market: str
    trader: str
    heir: str


@command(to="Market", by="market")
@dataclass(frozen=True)
class Thank:
    market: str
    trader: str


@dataclass(frozen=True)
class Market:
    market: str
    count: int = 0

    @classmethod
    def new(cls, market: str) -> Market:
        return cls(market)

    def execute(self, command: Any) -> Any:
        match command:
            case Trade(buyer=buyer, seller=seller, price=price):
                return Traded(buyer, seller, price)
            case Leave(trader=trader, heir=heir):
                return Left(trader, heir)
            case Thank(trader=trader):
                return Thanked(trader)

    def apply(self, event: Any) -> Market:
        return replace(self, count=self.count + 1)


@dataclass(frozen=True)
class Trader:
    """What a trader has: bought things cost, sold ones pay, an heir gets what was left."""

    name: str
    money: int = 0
    trades: int = 0

    @classmethod
    def interested(cls, event: Any) -> Any:
        match event:
            case Traded(buyer=buyer, seller=seller) if buyer == seller:
                return Start(buyer)
            case Traded(buyer=buyer, seller=seller):
                others = [Start(buyer), Start(seller)]
                return others if "witness" in (buyer, seller) else [*others, Continue("witness")]
            case Left(trader=trader, heir=heir) if trader != heir:
                return Stop(trader), Start(heir)
        return []

    @classmethod
    def new(cls, name: str) -> Trader:
        return cls(name)

    def apply(self, event: Any) -> Trader:
        match event:
            case Traded(buyer=buyer, price=price):
                paid = -price if buyer == self.name else price
                return replace(self, money=self.money + paid, trades=self.trades + 1)
        return replace(self, trades=self.trades + 1)

    def handle(self, event: Any) -> Any:
        return Thank("m", self.name) if self.trades % 2 else None


TYPES = (Traded, Left, Thanked, Trade, Leave, Thank, Market, Trader)
