"""The refilling of a shelf: it starts when few pieces are free, and ends when the supplier delivers.

It listens to the same event as the way of an order does, and for another reason.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

from calamity_lab.examples.fulfilment.stock_item import (
    OrderSupplies,
    StockReceived,
    StockReserved,
    SuppliesOrdered,
)
from calamity_lab.kernel.messages import Continue, Start, Stop

ReplenishmentEvent = StockReserved | SuppliesOrdered | StockReceived

FEW = 3
"""With so many free pieces or fewer, more are ordered."""

BATCH = 10
"""So many pieces are ordered at a time."""


@dataclass(frozen=True, slots=True)
class Replenishment:
    """Orders more of an article that runs low, once, and waits for it."""

    sku: str
    stage: Literal["new", "running low", "waiting for the supplier"] = "new"

    @classmethod
    def interested(cls, event: object) -> Start | Continue | Stop | None:
        """Which article an event belongs to."""
        match event:
            case StockReserved(sku=sku, free=free) if free <= FEW:
                return Start(sku)
            case SuppliesOrdered(sku=sku):
                return Continue(sku)
            case StockReceived(sku=sku):
                return Stop(sku)
        return None

    @classmethod
    def new(cls, sku: str) -> Self:
        """The process before its first event."""
        return cls(sku)

    def apply(self, event: ReplenishmentEvent) -> Self:
        """The process after an event."""
        match event:
            case StockReserved() if self.stage == "new":
                return replace(self, stage="running low")
            case StockReserved() | SuppliesOrdered():
                return replace(self, stage="waiting for the supplier")
        return self

    def handle(self, event: ReplenishmentEvent) -> OrderSupplies | None:
        """What to do next, now that an event has happened."""
        match event:
            case StockReserved() if self.stage == "running low":
                return OrderSupplies(self.sku, BATCH)
        return None
