"""An order, its payment and its shipment: three aggregates, each with its commands and events."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Self

from calamity_lab.errors import Rejected
from calamity_lab.kernel.messages import command

# The order


class Speed(Enum):
    """How soon a parcel leaves."""

    STANDARD = "standard"
    EXPRESS = "express"


class OrderStatus(Enum):
    """The stage that an order has reached."""

    NEW = "new"
    PLACED = "placed"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel goes; the country is its two-letter code."""

    street: str
    city: str
    country: str


@dataclass(frozen=True, slots=True)
class OrderLine:
    """Some pieces of one article, at a price each."""

    sku: str
    quantity: int
    unit_price: Decimal

    @property
    def price(self) -> Decimal:
        """The price of all the pieces."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class Card:
    """A payment card: the last day on which it is valid, and the most that it pays at a time."""

    number: str
    valid_through: date
    limit: Decimal


@command(to="Order", by="order_id")
@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Order some articles."""

    order_id: str
    customer: str
    lines: tuple[OrderLine, ...]
    ship_to: Address
    card: Card
    placed_at: datetime
    speed: Speed = Speed.STANDARD
    gift_note: str | None = None


@command(to="Order", by="order_id")
@dataclass(frozen=True, slots=True)
class MarkOrderShipped:
    """Note that the parcel is on its way."""

    order_id: str


@command(to="Order", by="order_id")
@dataclass(frozen=True, slots=True)
class CompleteOrder:
    """Close an order whose parcel has arrived."""

    order_id: str


@command(to="Order", by="order_id")
@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel an order that has not been shipped."""

    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """An order came in; its total and the day on which its parcel should leave are known."""

    order_id: str
    customer: str
    lines: tuple[OrderLine, ...]
    ship_to: Address
    card: Card
    total: Decimal
    placed_at: datetime
    ship_on: date
    speed: Speed = Speed.STANDARD
    gift_note: str | None = None


@dataclass(frozen=True, slots=True)
class OrderShipped:
    """The parcel is on its way."""

    order_id: str


@dataclass(frozen=True, slots=True)
class OrderCompleted:
    """The parcel has arrived, and nothing is left to do."""

    order_id: str


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The order was cancelled."""

    order_id: str
    reason: str


OrderCommand = PlaceOrder | MarkOrderShipped | CompleteOrder | CancelOrder
OrderEvent = OrderPlaced | OrderShipped | OrderCompleted | OrderCancelled

POSTAGE = {Speed.STANDARD: Decimal("4.90"), Speed.EXPRESS: Decimal("12.50")}
DAYS_TO_PACK = {Speed.STANDARD: 2, Speed.EXPRESS: 0}


@dataclass(frozen=True, slots=True)
class Order:
    """An order: what a customer wants, what it costs, and the stage that it has reached."""

    order_id: str
    customer: str = ""
    lines: tuple[OrderLine, ...] = ()
    ship_to: Address | None = None
    total: Decimal = Decimal(0)
    placed_at: datetime | None = None
    status: OrderStatus = OrderStatus.NEW
    reason: str | None = None

    @classmethod
    def new(cls, order_id: str) -> Self:
        """The order before its first event."""
        return cls(order_id)

    def execute(self, command: OrderCommand) -> OrderEvent:
        """Decide which event a command leads to, or reject the command."""
        match command:
            case PlaceOrder():
                return self._place(command)
            case MarkOrderShipped(order_id):
                self._require(OrderStatus.PLACED)
                return OrderShipped(order_id)
            case CompleteOrder(order_id):
                # The parcel may arrive before anybody has noted that it left.
                self._require(OrderStatus.PLACED, OrderStatus.SHIPPED)
                return OrderCompleted(order_id)
            case CancelOrder(order_id, reason):
                self._require(OrderStatus.PLACED)
                return OrderCancelled(order_id, reason)

    def _place(self, command: PlaceOrder) -> OrderPlaced:
        self._require(OrderStatus.NEW)
        skus = [line.sku for line in command.lines]
        if not skus:
            raise Rejected("order is empty")
        if len(set(skus)) < len(skus):
            raise Rejected("article ordered twice", skus=tuple(skus))
        for line in command.lines:
            if line.quantity < 1 or line.unit_price < 0:
                raise Rejected("quantity or price out of range", line=line)
        return OrderPlaced(
            order_id=command.order_id,
            customer=command.customer,
            lines=command.lines,
            ship_to=command.ship_to,
            card=command.card,
            total=sum((line.price for line in command.lines), start=POSTAGE[command.speed]),
            placed_at=command.placed_at,
            ship_on=command.placed_at.date() + timedelta(days=DAYS_TO_PACK[command.speed]),
            speed=command.speed,
            gift_note=command.gift_note,
        )

    def _require(self, *statuses: OrderStatus) -> None:
        if self.status not in statuses:
            raise Rejected(f"order is {self.status.value}", order_id=self.order_id)

    def apply(self, event: OrderEvent) -> Self:
        """The order after an event."""
        match event:
            case OrderPlaced():
                return replace(
                    self,
                    customer=event.customer,
                    lines=event.lines,
                    ship_to=event.ship_to,
                    total=event.total,
                    placed_at=event.placed_at,
                    status=OrderStatus.PLACED,
                )
            case OrderShipped():
                return replace(self, status=OrderStatus.SHIPPED)
            case OrderCompleted():
                return replace(self, status=OrderStatus.COMPLETED)
            case OrderCancelled(reason=reason):
                return replace(self, status=OrderStatus.CANCELLED, reason=reason)


# The payment


class PaymentStatus(Enum):
    """Where the money is."""

    DUE = "due"
    CHARGED = "charged"
    REFUNDED = "refunded"
    EXPIRED = "expired"


@command(to="Payment", by="payment_id")
@dataclass(frozen=True, slots=True)
class ChargeCard:
    """Take the price of an order from the customer's card."""

    payment_id: str
    order_id: str
    amount: Decimal
    card: Card
    on: date


@command(to="Payment", by="payment_id")
@dataclass(frozen=True, slots=True)
class RefundPayment:
    """Pay the whole amount back to the card."""

    payment_id: str


@command(to="Payment", by="payment_id")
@dataclass(frozen=True, slots=True)
class ExpirePayment:
    """Wait for the money no longer. The shop sets this as a deadline when it charges the card."""

    payment_id: str
    order_id: str


@dataclass(frozen=True, slots=True)
class CardCharged:
    """Money was taken from a card."""

    payment_id: str
    order_id: str
    amount: Decimal
    on: date


@dataclass(frozen=True, slots=True)
class PaymentRefunded:
    """The money went back to the card."""

    payment_id: str
    order_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PaymentExpired:
    """The money did not come in time, and is not taken any more."""

    payment_id: str
    order_id: str


PaymentCommand = ChargeCard | RefundPayment | ExpirePayment
PaymentEvent = CardCharged | PaymentRefunded | PaymentExpired


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment: for which order, how much, and where the money is."""

    payment_id: str
    order_id: str = ""
    amount: Decimal = Decimal(0)
    status: PaymentStatus = PaymentStatus.DUE

    @classmethod
    def new(cls, payment_id: str) -> Self:
        """The payment before its first event."""
        return cls(payment_id)

    def execute(self, command: PaymentCommand) -> PaymentEvent:
        """Decide which event a command leads to, or reject the command."""
        match command:
            case ChargeCard() | ExpirePayment() if self.status is PaymentStatus.EXPIRED:
                raise Rejected("payment expired")
            case ChargeCard() | ExpirePayment() if self.status is not PaymentStatus.DUE:
                raise Rejected("paid already", status=self.status.value)
            case ChargeCard(card=card, on=day) if day > card.valid_through:
                raise Rejected("card expired", valid_through=card.valid_through)
            case ChargeCard(amount=amount, card=card) if amount > card.limit:
                raise Rejected("card declined", amount=amount, limit=card.limit)
            case ChargeCard(payment_id, order_id, amount, _, day):
                return CardCharged(payment_id, order_id, amount, day)
            case RefundPayment() if self.status is not PaymentStatus.CHARGED:
                raise Rejected("nothing to refund", status=self.status.value)
            case RefundPayment(payment_id):
                return PaymentRefunded(payment_id, self.order_id, self.amount)
            case ExpirePayment(payment_id, order_id):
                return PaymentExpired(payment_id, order_id)

    def apply(self, event: PaymentEvent) -> Self:
        """The payment after an event."""
        match event:
            case CardCharged(order_id=order_id, amount=amount):
                return replace(self, order_id=order_id, amount=amount, status=PaymentStatus.CHARGED)
            case PaymentRefunded():
                return replace(self, status=PaymentStatus.REFUNDED)
            case PaymentExpired(order_id=order_id):
                return replace(self, order_id=order_id, status=PaymentStatus.EXPIRED)


# The shipment


class ShipmentStatus(Enum):
    """Where the parcel is."""

    PACKING = "packing"
    ON_THE_WAY = "on the way"
    DELIVERED = "delivered"


@command(to="Shipment", by="shipment_id")
@dataclass(frozen=True, slots=True)
class DispatchParcel:
    """Hand a parcel to the courier."""

    shipment_id: str
    order_id: str
    ship_to: Address
    pieces: int
    on: date


@command(to="Shipment", by="shipment_id")
@dataclass(frozen=True, slots=True)
class ConfirmDelivery:
    """Report that the parcel has arrived. The courier does so, some days later."""

    shipment_id: str
    delivered_at: datetime
    signed_by: str | None = None


@command(to="Shipment", by="shipment_id")
@dataclass(frozen=True, slots=True)
class AskCourier:
    """Ask the courier where the parcel is. The shop sets this as a deadline when a parcel leaves."""

    shipment_id: str


@dataclass(frozen=True, slots=True)
class ParcelDispatched:
    """The courier took the parcel."""

    shipment_id: str
    order_id: str
    ship_to: Address
    pieces: int
    on: date


@dataclass(frozen=True, slots=True)
class ParcelDelivered:
    """The parcel arrived."""

    shipment_id: str
    order_id: str
    delivered_at: datetime
    signed_by: str | None = None


@dataclass(frozen=True, slots=True)
class CourierAsked:
    """The courier was asked where the parcel is, so many times by now, and has not answered yet."""

    shipment_id: str
    order_id: str
    times: int


ShipmentCommand = DispatchParcel | ConfirmDelivery | AskCourier
ShipmentEvent = ParcelDispatched | ParcelDelivered | CourierAsked

SERVED_COUNTRIES = ("AT", "CH", "DE", "FR", "GB", "NL")


@dataclass(frozen=True, slots=True)
class Shipment:
    """A parcel: for which order, to which address, and where it is."""

    shipment_id: str
    order_id: str = ""
    ship_to: Address | None = None
    dispatched_on: date | None = None
    delivered_at: datetime | None = None
    status: ShipmentStatus = ShipmentStatus.PACKING
    asked: int = 0

    @classmethod
    def new(cls, shipment_id: str) -> Self:
        """The parcel before its first event."""
        return cls(shipment_id)

    def execute(self, command: ShipmentCommand) -> ShipmentEvent:
        """Decide which event a command leads to, or reject the command."""
        match command:
            case DispatchParcel() if self.status is not ShipmentStatus.PACKING:
                raise Rejected("dispatched already", status=self.status.value)
            case DispatchParcel(ship_to=address) if address.country not in SERVED_COUNTRIES:
                raise Rejected("no courier goes there", country=address.country)
            case DispatchParcel(shipment_id, order_id, address, pieces, day):
                return ParcelDispatched(shipment_id, order_id, address, pieces, day)
            case ConfirmDelivery() | AskCourier() if self.status is not ShipmentStatus.ON_THE_WAY:
                raise Rejected("parcel is not on the way", status=self.status.value)
            case ConfirmDelivery(shipment_id, delivered_at, signed_by):
                return ParcelDelivered(shipment_id, self.order_id, delivered_at, signed_by)
            case AskCourier(shipment_id):
                return CourierAsked(shipment_id, self.order_id, self.asked + 1)

    def apply(self, event: ShipmentEvent) -> Self:
        """The parcel after an event."""
        match event:
            case ParcelDispatched(order_id=order_id, ship_to=address, on=day):
                return replace(
                    self,
                    order_id=order_id,
                    ship_to=address,
                    dispatched_on=day,
                    status=ShipmentStatus.ON_THE_WAY,
                )
            case ParcelDelivered(delivered_at=delivered_at):
                return replace(self, delivered_at=delivered_at, status=ShipmentStatus.DELIVERED)
            case CourierAsked(times=times):
                return replace(self, asked=times)
