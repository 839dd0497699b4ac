"""The rules of the shop's four aggregates, as scenarios."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from calamity_lab.examples.fulfilment import (
    Address,
    CancelOrder,
    Card,
    CardCharged,
    ChargeCard,
    CompleteOrder,
    ConfirmDelivery,
    DispatchParcel,
    MarkOrderShipped,
    Order,
    OrderCancelled,
    OrderCompleted,
    OrderLine,
    OrderPlaced,
    OrderShipped,
    OrderStatus,
    OrderSupplies,
    ParcelDelivered,
    ParcelDispatched,
    Payment,
    PaymentRefunded,
    PaymentStatus,
    PickStock,
    PlaceOrder,
    ReceiveStock,
    RefundPayment,
    ReleaseStock,
    Reservation,
    ReserveStock,
    Shipment,
    ShipmentStatus,
    Speed,
    StockItem,
    StockPicked,
    StockReceived,
    StockReleased,
    StockReserved,
    SuppliesOrdered,
)
from calamity_lab.testing import given

MUGS = OrderLine("mug", 2, Decimal("8.50"))
TEAPOT = OrderLine("teapot", 1, Decimal("39.00"))
BERLIN = Address("Oranienstr. 1", "Berlin", "DE")
CARD = Card("4000-01", date(2026, 3, 31), Decimal("100.00"))
PLACED_AT = datetime(2026, 3, 30, 23, 30, tzinfo=UTC)
DELIVERED_AT = datetime(2026, 4, 2, 9, tzinfo=UTC)
PLACE = PlaceOrder("o", "Noor", (MUGS, TEAPOT), BERLIN, CARD, PLACED_AT)
PLACED = OrderPlaced(
    "o", "Noor", (MUGS, TEAPOT), BERLIN, CARD, Decimal("60.90"), PLACED_AT, ship_on=date(2026, 4, 1)
)
CHARGE = ChargeCard("p", "o", Decimal("60.90"), CARD, date(2026, 3, 30))
CHARGED = CardCharged("p", "o", Decimal("60.90"), date(2026, 3, 30))
DISPATCH = DispatchParcel("s", "o", BERLIN, 3, date(2026, 4, 1))
DISPATCHED = ParcelDispatched("s", "o", BERLIN, 3, date(2026, 4, 1))
RECEIVED = StockReceived("mug", 5)
RESERVED = StockReserved("mug", "o", 2, free=3)


def after(aggregate: Any, *events: object) -> Any:
    for event in events:
        aggregate = aggregate.apply(event)
    return aggregate


@pytest.mark.parametrize(
    ("before", "when", "then"),
    [
        ([], PLACE, PLACED),
        ([PLACED], MarkOrderShipped("o"), OrderShipped("o")),
        ([PLACED, OrderShipped("o")], CompleteOrder("o"), OrderCompleted("o")),
        ([PLACED], CompleteOrder("o"), OrderCompleted("o")),
        ([PLACED], CancelOrder("o", "why"), OrderCancelled("o", "why")),
        ([], ReceiveStock("mug", 5), RECEIVED),
        ([RECEIVED], ReserveStock("mug", "o", 2), RESERVED),
        (
            [RECEIVED],
            ReserveStock("mug", "o", 5),
            replace(RESERVED, quantity=5, free=0),
        ),
        ([RECEIVED, RESERVED], ReleaseStock("mug", "o"), StockReleased("mug", "o", 2)),
        ([RECEIVED, RESERVED], PickStock("mug", "o"), StockPicked("mug", "o", 2)),
        ([], OrderSupplies("mug", 10), SuppliesOrdered("mug", 10)),
        ([], CHARGE, CHARGED),
        ([CHARGED], RefundPayment("p"), PaymentRefunded("p", "o", Decimal("60.90"))),
        ([], DISPATCH, DISPATCHED),
        (
            [DISPATCHED],
            ConfirmDelivery("s", DELIVERED_AT, "Noor"),
            ParcelDelivered("s", "o", DELIVERED_AT, "Noor"),
        ),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "__dataclass_fields__") else "",
)
def test_a_command_within_the_rules_leads_to_its_event(
    before: list[object], when: object, then: object
) -> None:
    given(*before).when(when).then(then)


@pytest.mark.parametrize(
    ("before", "when", "reason"),
    [
        ([PLACED], PLACE, "order is placed"),
        ([], replace(PLACE, lines=()), "order is empty"),
        ([], replace(PLACE, lines=(MUGS, MUGS)), "article ordered twice"),
        (
            [],
            replace(PLACE, lines=(replace(MUGS, quantity=0),)),
            "quantity or price out of range",
        ),
        ([], MarkOrderShipped("o"), "order is new"),
        ([PLACED, OrderCancelled("o", "why")], CompleteOrder("o"), "order is cancelled"),
        ([PLACED, OrderShipped("o")], CancelOrder("o", "why"), "order is shipped"),
        ([], ReserveStock("mug", "o", 1), "out of stock"),
        ([RECEIVED, RESERVED], ReserveStock("mug", "x", 4), "out of stock"),
        ([RECEIVED], ReserveStock("mug", "o", 0), "quantity must be positive"),
        ([], ReceiveStock("mug", -1), "quantity must be positive"),
        ([RECEIVED, RESERVED], ReleaseStock("mug", "x"), "nothing reserved"),
        ([RECEIVED], PickStock("mug", "o"), "nothing reserved"),
        ([CHARGED], CHARGE, "paid already"),
        ([], replace(CHARGE, on=date(2026, 4, 1)), "card expired"),
        ([], replace(CHARGE, amount=Decimal("100.01")), "card declined"),
        ([], RefundPayment("p"), "nothing to refund"),
        ([DISPATCHED], DISPATCH, "dispatched already"),
        (
            [],
            replace(DISPATCH, ship_to=replace(BERLIN, country="NO")),
            "no courier goes there",
        ),
        ([], ConfirmDelivery("s", DELIVERED_AT), "parcel is not on the way"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_a_command_against_the_rules_is_rejected_with_its_reason(
    before: list[object], when: object, reason: str
) -> None:
    given(*before).when(when).then_rejected(reason)


def test_a_card_is_good_on_its_last_day_and_to_the_last_penny() -> None:
    command = replace(CHARGE, on=CARD.valid_through, amount=CARD.limit)
    given().when(command).then(CardCharged("p", "o", CARD.limit, CARD.valid_through))


def test_an_express_order_costs_more_postage_and_leaves_the_same_day() -> None:
    placed = replace(PLACED, speed=Speed.EXPRESS, total=Decimal("68.50"), ship_on=PLACED_AT.date())
    given().when(replace(PLACE, speed=Speed.EXPRESS)).then(placed)


def test_an_order_keeps_what_was_bought_and_how_far_it_has_come() -> None:
    order = after(Order.new("o"), PLACED)
    assert order == Order(
        "o", "Noor", (MUGS, TEAPOT), BERLIN, Decimal("60.90"), PLACED_AT, OrderStatus.PLACED
    )
    assert after(order, OrderCancelled("o", "why")) == replace(
        order, status=OrderStatus.CANCELLED, reason="why"
    )
    assert after(order, OrderShipped("o"), OrderCompleted("o")).status is OrderStatus.COMPLETED


def test_stock_set_aside_stays_on_the_shelf_until_it_is_picked() -> None:
    reserved = after(StockItem.new("mug"), RECEIVED, RESERVED)
    assert reserved == StockItem("mug", on_shelf=5, reservations=(Reservation("o", 2),))
    assert reserved.free == 3
    assert after(reserved, StockReleased("mug", "o", 2)) == StockItem("mug", on_shelf=5)
    assert after(reserved, StockPicked("mug", "o", 2)) == StockItem("mug", on_shelf=3)


def test_supplies_are_on_the_way_until_they_are_received() -> None:
    asked = after(StockItem.new("mug"), SuppliesOrdered("mug", 10))
    assert asked == StockItem("mug", on_the_way=10)
    assert after(asked, StockReceived("mug", 4)) == StockItem("mug", on_shelf=4, on_the_way=6)


def test_a_payment_and_a_parcel_remember_the_order_that_they_are_for() -> None:
    charged = after(Payment.new("p"), CHARGED)
    assert charged == Payment("p", "o", Decimal("60.90"), PaymentStatus.CHARGED)
    assert after(charged, PaymentRefunded("p", "o", Decimal("60.90"))).status is PaymentStatus.REFUNDED
    sent = after(Shipment.new("s"), DISPATCHED)
    assert sent == Shipment("s", "o", BERLIN, date(2026, 4, 1), None, ShipmentStatus.ON_THE_WAY)
    arrived = after(sent, ParcelDelivered("s", "o", DELIVERED_AT))
    assert (arrived.status, arrived.delivered_at) == (ShipmentStatus.DELIVERED, DELIVERED_AT)
