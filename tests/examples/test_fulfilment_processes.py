"""The shop's two process managers, answer by answer, as scenarios."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from calamity_lab import Lab, Lose, ticking_clock
from calamity_lab.examples import fulfilment
from calamity_lab.examples.fulfilment import (
    Address,
    AskCourier,
    CancelOrder,
    Card,
    CardCharged,
    ChargeCard,
    CompleteOrder,
    ConfirmDelivery,
    CourierAsked,
    DispatchParcel,
    ExpirePayment,
    FulfilmentStage,
    MarkOrderShipped,
    OrderCancelled,
    OrderCompleted,
    OrderFulfilment,
    OrderLine,
    OrderPlaced,
    OrderStatus,
    OrderSupplies,
    ParcelDelivered,
    ParcelDispatched,
    Payment,
    PaymentExpired,
    PickStock,
    RefundPayment,
    ReleaseStock,
    Replenishment,
    ReserveStock,
    StockReceived,
    StockReserved,
    SuppliesOrdered,
)
from calamity_lab.examples.fulfilment.process_managers import MOST_ASKED, TIME_TO_DELIVER, TIME_TO_PAY
from calamity_lab.kernel.messages import After, Cancel, Continue, Start, Stop
from calamity_lab.testing import given

BERLIN = Address("Oranienstr. 1", "Berlin", "DE")
CARD = Card("4000-01", date(2026, 3, 31), Decimal("100.00"))
TOTAL = Decimal("60.90")
LINES = (OrderLine("mug", 2, Decimal("8.50")), OrderLine("teapot", 1, Decimal("39.00")))
PLACED = OrderPlaced(
    "o", "Noor", LINES, BERLIN, CARD, TOTAL, datetime(2026, 3, 2, 9, tzinfo=UTC), ship_on=date(2026, 3, 4)
)
MUGS_RESERVED = StockReserved("mug", "o", 2, free=6)
TEAPOT_RESERVED = StockReserved("teapot", "o", 1, free=2)
CHARGED = CardCharged("pay-o", "o", TOTAL, date(2026, 3, 2))
DISPATCHED = ParcelDispatched("parcel-o", "o", BERLIN, 3, date(2026, 3, 4))
DELIVERED = ParcelDelivered("parcel-o", "o", datetime(2026, 3, 5, 14, tzinfo=UTC))
EXPIRES = After(TIME_TO_PAY, ExpirePayment("pay-o", "o"))
ASKS = After(TIME_TO_DELIVER, AskCourier("parcel-o"))
WAY_OF_AN_ORDER = (PLACED, MUGS_RESERVED, TEAPOT_RESERVED, CHARGED, DISPATCHED, DELIVERED)


@pytest.mark.parametrize(
    ("event", "of_the_order", "of_the_shelf"),
    [
        (PLACED, Start("o"), None),
        (MUGS_RESERVED, Continue("o"), None),
        (TEAPOT_RESERVED, Continue("o"), Start("teapot")),
        (CHARGED, Continue("o"), None),
        (PaymentExpired("pay-o", "o"), Continue("o"), None),
        (DISPATCHED, Continue("o"), None),
        (CourierAsked("parcel-o", "o", 1), Continue("o"), None),
        (DELIVERED, Continue("o"), None),
        (OrderCompleted("o"), Stop("o"), None),
        (OrderCancelled("o", "why"), Stop("o"), None),
        (SuppliesOrdered("teapot", 10), None, Continue("teapot")),
        (StockReceived("teapot", 10), None, Stop("teapot")),
    ],
)
def test_each_process_listens_to_what_concerns_it(
    event: object, of_the_order: object, of_the_shelf: object
) -> None:
    assert OrderFulfilment.interested(event) == of_the_order
    assert Replenishment.interested(event) == of_the_shelf


@pytest.mark.parametrize(
    ("events", "stage", "commands"),
    [
        (1, FulfilmentStage.RESERVING, [ReserveStock("mug", "o", 2)]),
        (2, FulfilmentStage.RESERVING, [ReserveStock("teapot", "o", 1)]),
        (3, FulfilmentStage.RESERVED, [ChargeCard("pay-o", "o", TOTAL, CARD, date(2026, 3, 2)), EXPIRES]),
        (
            4,
            FulfilmentStage.CHARGED,
            [DispatchParcel("parcel-o", "o", BERLIN, 3, date(2026, 3, 4)), Cancel(ExpirePayment)],
        ),
        (
            5,
            FulfilmentStage.ON_THE_WAY,
            [PickStock("mug", "o"), PickStock("teapot", "o"), MarkOrderShipped("o"), ASKS],
        ),
        (6, FulfilmentStage.DELIVERED, [CompleteOrder("o"), Cancel(AskCourier)]),
    ],
)
def test_an_order_goes_one_stage_on_with_each_event(
    events: int, stage: FulfilmentStage, commands: list[object]
) -> None:
    *before, event = WAY_OF_AN_ORDER[:events]
    scenario = given(*before, manager=OrderFulfilment).when(event).then_sends(*commands)
    assert scenario.states[0].stage is stage


@pytest.mark.parametrize(
    ("events", "rejected", "commands"),
    [
        (1, ReserveStock("mug", "o", 2), [CancelOrder("o", "no")]),
        (2, ReserveStock("teapot", "o", 1), [ReleaseStock("mug", "o"), CancelOrder("o", "no")]),
        (
            3,
            ChargeCard("pay-o", "o", TOTAL, CARD, date(2026, 3, 2)),
            [ReleaseStock("teapot", "o"), ReleaseStock("mug", "o"), CancelOrder("o", "no")],
        ),
        (
            4,
            DispatchParcel("parcel-o", "o", BERLIN, 3, date(2026, 3, 4)),
            [
                RefundPayment("pay-o"),
                ReleaseStock("teapot", "o"),
                ReleaseStock("mug", "o"),
                CancelOrder("o", "no"),
            ],
        ),
        (6, CompleteOrder("o"), []),
    ],
)
def test_a_rejection_undoes_what_was_done_latest_first(
    events: int, rejected: object, commands: list[object]
) -> None:
    before = given(*WAY_OF_AN_ORDER[:events], manager=OrderFulfilment)
    before.when_rejected(rejected, "no").then_sends(*commands)


def test_a_payment_that_never_comes_is_cancelled() -> None:
    before = given(*WAY_OF_AN_ORDER[:3], manager=OrderFulfilment)
    before.when(PaymentExpired("pay-o", "o")).then_sends(
        ReleaseStock("teapot", "o"), ReleaseStock("mug", "o"), CancelOrder("o", "not paid in time")
    )
    given(Payment("pay-o")).when(ExpirePayment("pay-o", "o")).then(PaymentExpired("pay-o", "o"))
    charge = ChargeCard("pay-o", "o", TOTAL, CARD, date(2026, 3, 2))
    given(PaymentExpired("pay-o", "o")).when(charge).then_rejected("payment expired")


def test_a_payment_that_came_does_not_expire() -> None:
    given(CHARGED).when(ExpirePayment("pay-o", "o")).then_rejected("paid already", status="charged")
    given(*WAY_OF_AN_ORDER[:4], manager=OrderFulfilment).when_rejected(
        ExpirePayment("pay-o", "o"), "paid already"
    ).then_nothing()


def test_a_courier_who_does_not_answer_is_asked_again_but_not_for_ever() -> None:
    before = given(*WAY_OF_AN_ORDER[:5], manager=OrderFulfilment)
    before.when(CourierAsked("parcel-o", "o", 1)).then_sends(ASKS)
    before.when(CourierAsked("parcel-o", "o", MOST_ASKED)).then_nothing()
    given(DISPATCHED, CourierAsked("parcel-o", "o", 1)).when(AskCourier("parcel-o")).then(
        CourierAsked("parcel-o", "o", 2)
    )
    given(DISPATCHED, DELIVERED).when(AskCourier("parcel-o")).then_rejected("parcel is not on the way")


def test_an_order_whose_payment_is_lost_gives_its_articles_back_after_some_days() -> None:
    lab = Lab(fulfilment, clock=ticking_clock("2026-03-02"))
    lab.send(*fulfilment.story()[:3])
    lab.inject(Lose(ChargeCard))
    lab.resume(wait=True)
    assert lab.aggregates["Order-1001"].status is OrderStatus.CANCELLED
    assert lab.aggregates["StockItem-mug"].reservations == ()
    assert not lab.deadlines


def test_a_parcel_that_never_arrives_is_asked_for_until_it_does() -> None:
    lab = Lab(fulfilment, clock=ticking_clock("2026-03-02"))
    lab.send(*fulfilment.story()[:3])
    lab.resume()
    lab.wait(timedelta(days=8))
    assert lab.aggregates["Shipment-parcel-1001"].asked == 1
    lab.send(ConfirmDelivery("parcel-1001", datetime(2026, 3, 10, tzinfo=UTC)))
    lab.resume()
    assert not lab.deadlines
    assert lab.aggregates["Order-1001"].status is OrderStatus.COMPLETED
    lab.goto(lab.trace.index.elapsed[0])
    lab.fork()
    lab.resume(wait=True)
    assert lab.aggregates["Shipment-parcel-1001"].asked == MOST_ASKED


def test_a_shelf_that_runs_low_is_refilled_once() -> None:
    given(manager=Replenishment).when(TEAPOT_RESERVED).then_sends(OrderSupplies("teapot", 10))
    given(TEAPOT_RESERVED, manager=Replenishment).when(TEAPOT_RESERVED).then_nothing()


def test_a_shelf_waits_for_the_supplier_once_more_was_ordered() -> None:
    waiting = given(TEAPOT_RESERVED, manager=Replenishment).when(SuppliesOrdered("teapot", 10)).then_nothing()
    assert [each.stage for each in waiting.states] == ["waiting for the supplier"]
