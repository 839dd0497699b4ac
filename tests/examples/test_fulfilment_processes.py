"""The shop's two process managers, answer by answer, as scenarios."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from calamity_lab.examples.fulfilment import (
    Address,
    CancelOrder,
    Card,
    CardCharged,
    ChargeCard,
    CompleteOrder,
    DispatchParcel,
    FulfilmentStage,
    MarkOrderShipped,
    OrderCancelled,
    OrderCompleted,
    OrderFulfilment,
    OrderLine,
    OrderPlaced,
    OrderSupplies,
    ParcelDelivered,
    ParcelDispatched,
    PickStock,
    RefundPayment,
    ReleaseStock,
    Replenishment,
    ReserveStock,
    StockReceived,
    StockReserved,
    SuppliesOrdered,
)
from calamity_lab.kernel.messages import Continue, Start, Stop
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
WAY_OF_AN_ORDER = (PLACED, MUGS_RESERVED, TEAPOT_RESERVED, CHARGED, DISPATCHED, DELIVERED)


@pytest.mark.parametrize(
    ("event", "of_the_order", "of_the_shelf"),
    [
        (PLACED, Start("o"), None),
        (MUGS_RESERVED, Continue("o"), None),
        (TEAPOT_RESERVED, Continue("o"), Start("teapot")),
        (CHARGED, Continue("o"), None),
        (DISPATCHED, Continue("o"), None),
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
        (3, FulfilmentStage.RESERVED, [ChargeCard("pay-o", "o", TOTAL, CARD, date(2026, 3, 2))]),
        (4, FulfilmentStage.CHARGED, [DispatchParcel("parcel-o", "o", BERLIN, 3, date(2026, 3, 4))]),
        (
            5,
            FulfilmentStage.ON_THE_WAY,
            [PickStock("mug", "o"), PickStock("teapot", "o"), MarkOrderShipped("o")],
        ),
        (6, FulfilmentStage.DELIVERED, [CompleteOrder("o")]),
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


def test_a_shelf_that_runs_low_is_refilled_once() -> None:
    given(manager=Replenishment).when(TEAPOT_RESERVED).then_sends(OrderSupplies("teapot", 10))
    given(TEAPOT_RESERVED, manager=Replenishment).when(TEAPOT_RESERVED).then_nothing()


def test_a_shelf_waits_for_the_supplier_once_more_was_ordered() -> None:
    waiting = given(TEAPOT_RESERVED, manager=Replenishment).when(SuppliesOrdered("teapot", 10)).then_nothing()
    assert [each.stage for each in waiting.states] == ["waiting for the supplier"]
