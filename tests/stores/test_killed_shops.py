"""A shop is killed two hundred times at random points, and every order comes to one of its legal ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from typing import Any

from calamity_lab.examples.fulfilment import (
    CardCharged,
    Order,
    OrderCancelled,
    OrderCompleted,
    OrderPlaced,
    OrderStatus,
    ParcelDispatched,
    Payment,
    PaymentRefunded,
    Shipment,
    StockItem,
    StockPicked,
    StockReceived,
    StockReleased,
    StockReserved,
)
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import recover
from tests.stores.dying_shops import closed

KILLS = 200


def test_every_order_ends_though_the_shop_is_killed_two_hundred_times(url: str) -> None:
    command = [sys.executable, "-m", "tests.stores.dying_shops", url, "1", str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert [int(line) for line in done.stdout.split()] == [-signal.SIGKILL] * KILLS, done.stderr
    run = closed(url, KILLS)
    assert not run.failed
    store = run.stack.event_store
    assert [entry for entry in store.outbox if entry.outcome is None] == []
    states = recover(run.stack, [Order, Payment, Shipment, StockItem]).stack.aggregates
    history = list(store.stream(ALL))
    happened: dict[str, Counter[Any]] = {}
    stock: Counter[str] = Counter()
    for recorded in history:
        event = recorded.event
        order_id = getattr(event, "order_id", None) or recorded.stream_id.removeprefix("Payment-pay-")
        kind = type(event), getattr(event, "sku", "")
        happened.setdefault(order_id, Counter())[kind] += 1
        match event:
            case StockReceived(sku, quantity):
                stock[sku] += quantity
            case StockPicked(sku, _, quantity):
                stock[sku] -= quantity
    placed = [recorded.event for recorded in history if isinstance(recorded.event, OrderPlaced)]
    ends = Counter([check_order(order, happened[order.order_id], states) for order in placed])
    assert set(ends) == {OrderStatus.COMPLETED, OrderStatus.CANCELLED}
    assert len(placed) > KILLS / 4
    for sku, on_shelf in stock.items():
        item = states[f"StockItem-{sku}"]
        assert (item.on_shelf, item.reservations) == (on_shelf, ())
    assert len({r.causation_id for r in history}) == len(history), "a command has one event, once"
    store.close()


def check_order(order: OrderPlaced, events: Counter[Any], states: Any) -> OrderStatus:
    """An order came to its end, nothing of it happened twice, and what was done was undone."""
    assert set(events.values()) == {1}, events
    status: OrderStatus = states[f"Order-{order.order_id}"].status
    kinds = {kind for kind, _ in events}
    assert (OrderCompleted in kinds) == (status is OrderStatus.COMPLETED)
    assert (OrderCancelled in kinds) == (status is OrderStatus.CANCELLED)
    assert (ParcelDispatched in kinds) == (status is OrderStatus.COMPLETED)
    assert (CardCharged in kinds) == (ParcelDispatched in kinds or PaymentRefunded in kinds)
    taken = StockPicked if status is OrderStatus.COMPLETED else StockReleased
    given = {sku for kind, sku in events if kind is StockReserved}
    assert {sku for kind, sku in events if kind in {StockPicked, StockReleased}} == given
    assert {sku for kind, sku in events if kind is taken} == given
    return status
