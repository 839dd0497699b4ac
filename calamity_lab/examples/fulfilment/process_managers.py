"""The shop's two process managers: one fulfils orders, the other orders supplies when an article runs low.

An order is reserved, charged, shipped and completed. When a command is rejected, what was done is undone and
the order is cancelled. Order lines are reserved one after the other, never all at once. A rejection changes
no state, so a process manager that waits for several commands could not know which of them are still to come,
and would cancel too early.

Two deadlines see to what never comes: a payment that does not come in time expires, and the order is
cancelled; a courier who does not say that a parcel has arrived is asked.

Both process managers react to `StockReserved`, for different reasons.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Literal, Self

from calamity_lab.errors import Rejected
from calamity_lab.examples.fulfilment.order import (
    AskCourier,
    CancelOrder,
    CardCharged,
    ChargeCard,
    CompleteOrder,
    CourierAsked,
    DispatchParcel,
    ExpirePayment,
    MarkOrderShipped,
    OrderCancelled,
    OrderCommand,
    OrderCompleted,
    OrderPlaced,
    ParcelDelivered,
    ParcelDispatched,
    PaymentCommand,
    PaymentExpired,
    RefundPayment,
    ShipmentCommand,
)
from calamity_lab.examples.fulfilment.stock_item import (
    OrderSupplies,
    PickStock,
    ReleaseStock,
    ReserveStock,
    StockCommand,
    StockReceived,
    StockReserved,
    SuppliesOrdered,
)
from calamity_lab.kernel.messages import After, Cancel, Continue, Start, Stop

FulfilmentCommand = OrderCommand | StockCommand | PaymentCommand | ShipmentCommand
FulfilmentEvent = (
    OrderPlaced
    | StockReserved
    | CardCharged
    | PaymentExpired
    | ParcelDispatched
    | CourierAsked
    | ParcelDelivered
    | OrderCompleted
    | OrderCancelled
)


TIME_TO_PAY = timedelta(days=3)
"""After this time an order that is not paid is cancelled."""

TIME_TO_DELIVER = timedelta(days=7)
"""After this time the courier is asked where a parcel is, and then again and again."""

MOST_ASKED = 3
"""How often the courier is asked; then somebody has to go and look."""


class FulfilmentStage(Enum):
    """What has been done for an order so far."""

    NEW = "new"
    RESERVING = "reserving"
    RESERVED = "reserved"
    CHARGED = "charged"
    ON_THE_WAY = "on the way"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class OrderFulfilment:
    """Brings an order from the shop to the customer, or undoes what was done for it."""

    order_id: str
    order: OrderPlaced | None = None
    reserved: tuple[str, ...] = ()
    stage: FulfilmentStage = FulfilmentStage.NEW

    @classmethod
    def interested(cls, event: object) -> Start | Continue | Stop | None:
        """The order that an event belongs to."""
        match event:
            case OrderPlaced(order_id=order_id):
                return Start(order_id)
            case StockReserved(order_id=order_id) | CardCharged(order_id=order_id):
                return Continue(order_id)
            case PaymentExpired(order_id=order_id) | CourierAsked(order_id=order_id):
                return Continue(order_id)
            case ParcelDispatched(order_id=order_id) | ParcelDelivered(order_id=order_id):
                return Continue(order_id)
            case OrderCompleted(order_id=order_id) | OrderCancelled(order_id=order_id):
                return Stop(order_id)
        return None

    @classmethod
    def new(cls, order_id: str) -> Self:
        """The process before its first event."""
        return cls(order_id)

    @property
    def payment_id(self) -> str:
        """The one payment of this order."""
        return f"pay-{self.order_id}"

    @property
    def shipment_id(self) -> str:
        """The one parcel of this order."""
        return f"parcel-{self.order_id}"

    def apply(self, event: FulfilmentEvent) -> Self:
        """The process after an event."""
        match event:
            case OrderPlaced():
                return replace(self, order=event, stage=FulfilmentStage.RESERVING)
            case StockReserved(sku=sku):
                reserved = (*self.reserved, sku)
                complete = self.order is not None and len(reserved) == len(self.order.lines)
                stage = FulfilmentStage.RESERVED if complete else FulfilmentStage.RESERVING
                return replace(self, reserved=reserved, stage=stage)
            case CardCharged():
                return replace(self, stage=FulfilmentStage.CHARGED)
            case ParcelDispatched():
                return replace(self, stage=FulfilmentStage.ON_THE_WAY)
            case ParcelDelivered():
                return replace(self, stage=FulfilmentStage.DELIVERED)
        return self

    def handle(self, event: FulfilmentEvent) -> list[FulfilmentCommand | After | Cancel]:
        """The next commands and deadlines, now that an event has happened."""
        if self.order is None:
            return []
        match event:
            case OrderPlaced() | StockReserved():
                return self._reserve_or_charge(self.order)
            case CardCharged():
                return [self._dispatch(self.order), Cancel(ExpirePayment)]
            case PaymentExpired():
                return [*self._releases(), CancelOrder(self.order_id, "not paid in time")]
            case ParcelDispatched():
                picks = [PickStock(sku, self.order_id) for sku in self.reserved]
                return [*picks, MarkOrderShipped(self.order_id), self._ask_later()]
            case CourierAsked(times=times):
                return [self._ask_later()] if times < MOST_ASKED else []
            case ParcelDelivered():
                return [CompleteOrder(self.order_id), Cancel(AskCourier)]
        return []

    def _reserve_or_charge(self, order: OrderPlaced) -> list[FulfilmentCommand | After | Cancel]:
        for line in order.lines:
            if line.sku not in self.reserved:
                return [ReserveStock(line.sku, self.order_id, line.quantity)]
        day = order.placed_at.date()
        return [
            ChargeCard(self.payment_id, self.order_id, order.total, order.card, day),
            After(TIME_TO_PAY, ExpirePayment(self.payment_id, self.order_id)),
        ]

    def _ask_later(self) -> After:
        return After(TIME_TO_DELIVER, AskCourier(self.shipment_id))

    def _releases(self) -> list[FulfilmentCommand]:
        """What gives the reserved articles back, the latest first."""
        return [ReleaseStock(sku, self.order_id) for sku in reversed(self.reserved)]

    def _dispatch(self, order: OrderPlaced) -> FulfilmentCommand:
        pieces = sum(line.quantity for line in order.lines)
        return DispatchParcel(self.shipment_id, self.order_id, order.ship_to, pieces, order.ship_on)

    def handle_rejection(self, rejected: Rejected) -> list[FulfilmentCommand]:
        """The commands that undo what was done, the latest first, now that a command was rejected."""
        releases = self._releases()
        cancel = CancelOrder(self.order_id, rejected.reason)
        match rejected.command:
            case ReserveStock() | ChargeCard():
                return [*releases, cancel]
            case DispatchParcel():
                return [RefundPayment(self.payment_id), *releases, cancel]
        return []


ReplenishmentEvent = StockReserved | SuppliesOrdered | StockReceived

FEW = 3
"""With this many free pieces or fewer, more are ordered."""

BATCH = 10
"""How many pieces are ordered at a time."""


@dataclass(frozen=True, slots=True)
class Replenishment:
    """Orders more of an article that runs low, once, and waits for it."""

    sku: str
    stage: Literal["new", "running low", "waiting for the supplier"] = "new"

    @classmethod
    def interested(cls, event: object) -> Start | Continue | Stop | None:
        """The article that an event belongs to."""
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
        """The next commands, now that an event has happened."""
        match event:
            case StockReserved() if self.stage == "running low":
                return OrderSupplies(self.sku, BATCH)
        return None
