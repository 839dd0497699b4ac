"""The shop, a whole cascade at a time: in Calamity's order, and in any other."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.examples.fulfilment import (
    Address,
    Card,
    ConfirmDelivery,
    FulfilmentCommand,
    OrderFulfilment,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    PlaceOrder,
    ReceiveStock,
    Replenishment,
    ShipmentStatus,
    Speed,
    StockPicked,
    StockReceived,
    SuppliesOrdered,
    story,
)
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Refused
from tests.examples.driving import finished, moments

SHOP = Stack(process_manager_types=(OrderFulfilment, Replenishment))
BERLIN = Address("Oranienstr. 1", "Berlin", "DE")
OSLO = Address("Karl Johans gate 9", "Oslo", "NO")
CARD = Card("4000-01", date(2026, 12, 31), Decimal("100.00"))
OLD_CARD = Card("4000-02", date(2025, 12, 31), Decimal("100.00"))
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
MUG = OrderLine("mug", 1, Decimal("8.50"))
TEAPOT = OrderLine("teapot", 1, Decimal("39.00"))


def events_of(stack: Stack) -> list[Any]:
    return [recorded.event for recorded in stack.event_store.stream(ALL)]


def names_of(stack: Stack, since: int = 0) -> list[str]:
    return [type(event).__name__ for event in events_of(stack)[since:]]


def stocked(**pieces: int) -> Stack:
    return finished(begin(SHOP, *(ReceiveStock(sku, quantity) for sku, quantity in pieces.items()))).stack


def order(*lines: OrderLine, ship_to: Address = BERLIN, card: Card = CARD) -> PlaceOrder:
    return PlaceOrder("o", "Noor", lines, ship_to, card, MONDAY)


def test_an_order_is_reserved_charged_sent_and_then_waits_for_its_delivery() -> None:
    stack = dispatch(stocked(mug=8, teapot=8), order(MUG, TEAPOT))
    assert names_of(stack, since=2) == [
        "OrderPlaced",
        "StockReserved",
        "StockReserved",
        "CardCharged",
        "ParcelDispatched",
        "StockPicked",
        "StockPicked",
        "OrderShipped",
    ]
    assert stack.process_managers["OrderFulfilment-o"].stage.value == "on the way"
    stack = dispatch(stack, ConfirmDelivery("parcel-o", MONDAY))
    assert names_of(stack, since=10) == ["ParcelDelivered", "OrderCompleted"]
    assert "OrderFulfilment-o" not in stack.process_managers


def test_an_order_that_is_out_of_stock_releases_what_was_reserved_and_is_cancelled() -> None:
    stack = dispatch(stocked(mug=8), order(MUG, TEAPOT))
    assert names_of(stack, since=1) == ["OrderPlaced", "StockReserved", "StockReleased", "OrderCancelled"]
    assert stack.aggregates["Order-o"].reason == "out of stock"
    assert stack.aggregates["StockItem-mug"].free == 8


def test_an_order_whose_card_expired_releases_what_was_reserved_and_is_cancelled() -> None:
    stack = dispatch(stocked(mug=8), order(MUG, card=OLD_CARD))
    assert names_of(stack, since=1) == ["OrderPlaced", "StockReserved", "StockReleased", "OrderCancelled"]
    assert stack.aggregates["Order-o"].reason == "card expired"


def test_an_order_that_no_courier_takes_is_refunded_released_and_cancelled() -> None:
    stack = dispatch(stocked(mug=8), order(MUG, ship_to=OSLO))
    assert names_of(stack, since=2) == [
        "StockReserved",
        "CardCharged",
        "PaymentRefunded",
        "StockReleased",
        "OrderCancelled",
    ]
    assert stack.aggregates["Payment-pay-o"].status is PaymentStatus.REFUNDED
    assert "OrderFulfilment-o" not in stack.process_managers


def test_one_event_moves_an_order_on_and_starts_a_replenishment() -> None:
    stack = dispatch(stocked(teapot=4), order(TEAPOT))
    assert SuppliesOrdered("teapot", 10) in events_of(stack)
    assert stack.process_managers["Replenishment-teapot"].stage == "waiting for the supplier"
    stack = dispatch(stack, ReceiveStock("teapot", 10))
    assert "Replenishment-teapot" not in stack.process_managers
    assert stack.aggregates["StockItem-teapot"].on_the_way == 0


def test_the_story_shows_each_way_in_which_an_order_can_end() -> None:
    run = begin(SHOP, *story())
    rejections = [step.reason for step, _ in moments(run) if isinstance(step, Refused)]
    assert rejections == ["out of stock", "card declined", "no courier goes there"]
    stack = finished(run).stack
    assert {number: stack.aggregates[f"Order-{number}"].status.value for number in range(1001, 1006)} == {
        1001: "completed",
        1002: "cancelled",
        1003: "cancelled",
        1004: "cancelled",
        1005: "completed",
    }
    assert not stack.process_managers


lines = st.lists(
    st.builds(
        OrderLine, st.sampled_from(["mug", "teapot", "tray"]), st.integers(0, 4), st.just(Decimal("20.00"))
    ),
    max_size=3,
).map(tuple)
numbers = st.sampled_from(["1", "2", "3", "4"])
asked = st.one_of(
    st.builds(
        PlaceOrder,
        numbers,
        st.just("Noor"),
        lines,
        st.sampled_from([BERLIN, OSLO]),
        st.sampled_from([CARD, OLD_CARD]),
        st.just(MONDAY),
        st.sampled_from(Speed),
    ),
    st.builds(ReceiveStock, st.sampled_from(["mug", "teapot", "tray"]), st.integers(0, 9)),
    st.builds(ConfirmDelivery, numbers.map("parcel-{}".format), st.just(MONDAY)),
)
scripts = st.lists(asked, max_size=15)
picks = st.lists(st.integers(min_value=0, max_value=30), min_size=1, max_size=40)


def after(script: list[FulfilmentCommand], picks: list[int]) -> Stack:
    stock = (ReceiveStock("mug", 9), ReceiveStock("teapot", 5))
    return finished(begin(finished(begin(SHOP, *stock)).stack, *script), picks).stack


def of_type(stack: Stack, name: str) -> list[Any]:
    return [state for key, state in stack.aggregates.items() if key.startswith(f"{name}-")]


@settings(deadline=None)
@given(scripts, picks)
def test_who_gets_a_parcel_has_paid_and_who_gets_none_has_his_money_back(
    script: list[FulfilmentCommand], picks: list[int]
) -> None:
    stack = after(script, picks)
    paid = {p.order_id: p.amount for p in of_type(stack, "Payment") if p.status is PaymentStatus.CHARGED}
    sent = {s.order_id for s in of_type(stack, "Shipment") if s.status is not ShipmentStatus.PACKING}
    owed = {o.order_id: o.total for o in of_type(stack, "Order") if o.order_id in sent}
    assert paid == owed


@settings(deadline=None)
@given(scripts, picks)
def test_no_piece_is_lost_and_nothing_stays_reserved_when_all_is_done(
    script: list[FulfilmentCommand], picks: list[int]
) -> None:
    stack = after(script, picks)
    for item in of_type(stack, "StockItem"):
        mine = [event for event in events_of(stack) if getattr(event, "sku", None) == item.sku]
        came = sum(event.quantity for event in mine if isinstance(event, StockReceived))
        left = sum(event.quantity for event in mine if isinstance(event, StockPicked))
        assert item.on_shelf == came - left >= 0
        assert item.reservations == ()


@settings(deadline=None)
@given(scripts, picks)
def test_every_order_is_completed_or_cancelled_or_waits_for_its_delivery(
    script: list[FulfilmentCommand], picks: list[int]
) -> None:
    stack = after(script, picks)
    ends = {OrderStatus.NEW, OrderStatus.COMPLETED, OrderStatus.CANCELLED}
    open_orders = {o.order_id for o in of_type(stack, "Order") if o.status not in ends}
    running = {
        key.removeprefix("OrderFulfilment-") for key in stack.process_managers if key.startswith("Order")
    }
    waiting = {
        parcel.order_id for parcel in of_type(stack, "Shipment") if parcel.status is ShipmentStatus.ON_THE_WAY
    }
    assert open_orders == running == waiting
