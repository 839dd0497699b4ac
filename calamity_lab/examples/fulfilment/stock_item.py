"""An article in the warehouse: pieces on the shelf, and pieces set aside for orders."""

from dataclasses import dataclass, replace
from typing import Self

from calamity_lab.errors import Rejected
from calamity_lab.kernel.messages import command

# Commands


@command(to="StockItem", by="sku")
@dataclass(frozen=True, slots=True)
class ReceiveStock:
    """Put pieces on the shelf that a supplier has delivered."""

    sku: str
    quantity: int


@command(to="StockItem", by="sku")
@dataclass(frozen=True, slots=True)
class ReserveStock:
    """Set pieces aside for an order."""

    sku: str
    order_id: str
    quantity: int


@command(to="StockItem", by="sku")
@dataclass(frozen=True, slots=True)
class ReleaseStock:
    """Put pieces that were set aside for an order back."""

    sku: str
    order_id: str


@command(to="StockItem", by="sku")
@dataclass(frozen=True, slots=True)
class PickStock:
    """Take from the shelf what was set aside for an order, because it is leaving."""

    sku: str
    order_id: str


@command(to="StockItem", by="sku")
@dataclass(frozen=True, slots=True)
class OrderSupplies:
    """Ask the supplier for more."""

    sku: str
    quantity: int


# Events


@dataclass(frozen=True, slots=True)
class StockReceived:
    """Pieces came in from the supplier."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class StockReserved:
    """Pieces were set aside for an order; ``free`` pieces are left."""

    sku: str
    order_id: str
    quantity: int
    free: int


@dataclass(frozen=True, slots=True)
class StockReleased:
    """Pieces that were set aside are free again."""

    sku: str
    order_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class StockPicked:
    """Pieces left the shelf for an order."""

    sku: str
    order_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class SuppliesOrdered:
    """The supplier was asked for more."""

    sku: str
    quantity: int


StockCommand = ReceiveStock | ReserveStock | ReleaseStock | PickStock | OrderSupplies
StockEvent = StockReceived | StockReserved | StockReleased | StockPicked | SuppliesOrdered


@dataclass(frozen=True, slots=True)
class Reservation:
    """Pieces set aside for one order."""

    order_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class StockItem:
    """An article in the warehouse: pieces on the shelf, set aside, and on their way here."""

    sku: str
    on_shelf: int = 0
    on_the_way: int = 0
    reservations: tuple[Reservation, ...] = ()

    @classmethod
    def new(cls, sku: str) -> Self:
        """The article before its first event."""
        return cls(sku)

    @property
    def free(self) -> int:
        """The pieces on the shelf that are not set aside."""
        return self.on_shelf - sum(reservation.quantity for reservation in self.reservations)

    def execute(self, command: StockCommand) -> StockEvent:
        """Decide which event a command leads to, or reject the command."""
        match command:
            case (
                ReceiveStock(quantity=quantity)
                | ReserveStock(quantity=quantity)
                | OrderSupplies(quantity=quantity)
            ) if quantity < 1:
                raise Rejected("quantity must be positive", quantity=quantity)
            case ReserveStock(quantity=quantity) if quantity > self.free:
                raise Rejected("out of stock", sku=self.sku, free=self.free)
            case ReserveStock(sku, order_id, quantity):
                return StockReserved(sku, order_id, quantity, free=self.free - quantity)
            case ReceiveStock(sku, quantity):
                return StockReceived(sku, quantity)
            case ReleaseStock(sku, order_id):
                return StockReleased(sku, order_id, self._reserved_for(order_id))
            case PickStock(sku, order_id):
                return StockPicked(sku, order_id, self._reserved_for(order_id))
            case OrderSupplies(sku, quantity):
                return SuppliesOrdered(sku, quantity)

    def _reserved_for(self, order_id: str) -> int:
        quantity = sum(each.quantity for each in self.reservations if each.order_id == order_id)
        if quantity == 0:
            raise Rejected("nothing reserved", sku=self.sku, order_id=order_id)
        return quantity

    def apply(self, event: StockEvent) -> Self:
        """The article after an event."""
        match event:
            case StockReceived(quantity=quantity):
                on_the_way = max(0, self.on_the_way - quantity)
                return replace(self, on_shelf=self.on_shelf + quantity, on_the_way=on_the_way)
            case StockReserved(order_id=order_id, quantity=quantity):
                return replace(self, reservations=(*self.reservations, Reservation(order_id, quantity)))
            case StockReleased(order_id=order_id):
                return replace(self, reservations=self._reservations_without(order_id))
            case StockPicked(order_id=order_id, quantity=quantity):
                return replace(
                    self,
                    on_shelf=self.on_shelf - quantity,
                    reservations=self._reservations_without(order_id),
                )
            case SuppliesOrdered(quantity=quantity):
                return replace(self, on_the_way=self.on_the_way + quantity)

    def _reservations_without(self, order_id: str) -> tuple[Reservation, ...]:
        return tuple(each for each in self.reservations if each.order_id != order_id)
