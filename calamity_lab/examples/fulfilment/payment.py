"""A payment: money taken from a card, and given back when the order comes to nothing."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Self

from calamity_lab.errors import Rejected
from calamity_lab.examples.fulfilment.order import Card
from calamity_lab.kernel.messages import command


class PaymentStatus(Enum):
    """Where the money is."""

    DUE = "due"
    CHARGED = "charged"
    REFUNDED = "refunded"


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
    """Give all of it back."""

    payment_id: str


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


PaymentCommand = ChargeCard | RefundPayment
PaymentEvent = CardCharged | PaymentRefunded


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
        """Decide what a command leads to, or refuse it."""
        match command:
            case ChargeCard() if self.status is not PaymentStatus.DUE:
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

    def apply(self, event: PaymentEvent) -> Self:
        """The payment after an event."""
        match event:
            case CardCharged(order_id=order_id, amount=amount):
                return replace(self, order_id=order_id, amount=amount, status=PaymentStatus.CHARGED)
            case PaymentRefunded():
                return replace(self, status=PaymentStatus.REFUNDED)
