"""What happens in the shop, as the commands that a user would send."""

from datetime import UTC, date, datetime
from decimal import Decimal

from calamity_lab.examples.fulfilment.order import (
    Address,
    Card,
    ConfirmDelivery,
    OrderLine,
    PlaceOrder,
    Speed,
)
from calamity_lab.examples.fulfilment.process_managers import FulfilmentCommand
from calamity_lab.examples.fulfilment.stock_item import ReceiveStock

_BERLIN = Address("Oranienstr. 1", "Berlin", "DE")
_LEEDS = Address("4 Call Lane", "Leeds", "GB")
_OSLO = Address("Karl Johans gate 9", "Oslo", "NO")
_GOOD_CARD = Card("4000-01", valid_through=date(2027, 12, 31), limit=Decimal("500.00"))
_SMALL_CARD = Card("4000-02", valid_through=date(2027, 12, 31), limit=Decimal("50.00"))
_MUG = OrderLine("mug", 2, Decimal("8.50"))
_TEAPOT = OrderLine("teapot", 1, Decimal("39.00"))
_KETTLE = OrderLine("kettle", 1, Decimal("64.00"))


def _at(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def story() -> tuple[FulfilmentCommand, ...]:
    """Two orders that arrive, and three that do not: out of stock, card declined, no courier."""
    return (
        ReceiveStock("mug", 8),
        ReceiveStock("teapot", 3),
        PlaceOrder("1001", "Noor", (_MUG, _TEAPOT), _BERLIN, _GOOD_CARD, _at(2, 9)),
        PlaceOrder("1002", "Sam", (_MUG, _KETTLE), _LEEDS, _GOOD_CARD, _at(2, 11)),
        PlaceOrder("1003", "Iris", (_MUG, _TEAPOT), _LEEDS, _SMALL_CARD, _at(3, 10)),
        PlaceOrder("1004", "Odd", (_TEAPOT,), _OSLO, _GOOD_CARD, _at(3, 16), Speed.EXPRESS),
        ConfirmDelivery("parcel-1001", _at(5, 14), signed_by="Noor"),
        ReceiveStock("teapot", 10),
        PlaceOrder(
            "1005", "Lee", (_TEAPOT,), _BERLIN, _GOOD_CARD, _at(6, 8), Speed.EXPRESS, gift_note="For you"
        ),
        ConfirmDelivery("parcel-1005", _at(7, 12)),
    )
