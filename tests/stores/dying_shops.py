"""Shops that are killed, one after the other: `python -m tests.stores.dying_shops URL SEED COUNT`.

Each is a child of its own, opens its own store, takes up what the one before it owes, and takes orders until
it is killed (SIGKILL): after a random number of steps, or after a random time. How each child ended is
printed, one line each.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from time import sleep
from typing import Any

import psycopg  # noqa: F401 - once, and not in each child

from calamity_lab.examples import fulfilment
from calamity_lab.examples.fulfilment import (
    Address,
    Card,
    ConfirmDelivery,
    OrderFulfilment,
    OrderLine,
    PlaceOrder,
    ReceiveStock,
    Replenishment,
)
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import Run, advance
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.sql.event_store import SQLEventStore

SERIALIZER = Serializer(fulfilment)
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def shop_at(url: str) -> Stack:
    """The shop over a store of its own."""
    return Stack(
        event_store=SQLEventStore(url, SERIALIZER, timeout=60),
        process_manager_types=(OrderFulfilment, Replenishment),
    )


def orders(number: int) -> list[tuple[str, Any]]:
    """What customers and suppliers want of the shop with that number, with the ids of the commands."""
    random = Random(number)
    wanted: list[tuple[str, Any]] = []
    for n in range(20):
        order_id = f"{number}.{n}"
        sku = random.choice(("mug", "pot"))
        lines = [OrderLine(sku, random.randint(1, 3), Decimal(20)), OrderLine("tin", 1, Decimal(5))]
        address = Address("1 Main Street", "Town", random.choice(("DE", "DE", "GB", "NO")))
        card = Card("4000", AT.date(), Decimal(random.choice((50, 500, 500))))
        placed = PlaceOrder(order_id, "Noor", tuple(lines[: random.randint(1, 2)]), address, card, AT)
        received = ReceiveStock(random.choice(("mug", "pot", "tin")), random.randint(1, 4))
        wanted += [
            (f"received {order_id}", received),
            (f"placed {order_id}", placed),
            (f"delivered {order_id}", ConfirmDelivery(f"parcel-{order_id}", AT)),
        ]
    return wanted


def serve(url: str, number: int, steps: int) -> None:
    """Take up what is owed, then what was ordered of the shop before, maybe again, then new orders."""
    run = recover(shop_at(url))
    wanted = iter([*orders(number - 1)[:6], *orders(number)])
    while True:
        if run.idle:
            command_id, command = next(wanted)
            run = run.submit(command, command_ids=(command_id,), once=True)
        _, run = advance(run)
        steps -= 1
        if not steps:
            os.kill(os.getpid(), signal.SIGKILL)


def closed(url: str, count: int) -> Run:
    """The shop at the end, when everything is done that was owed, and every parcel has arrived."""
    run = recover(shop_at(url))
    for number in range(count + 1):
        confirmed = [(id_, each) for id_, each in orders(number) if isinstance(each, ConfirmDelivery)]
        for command_id, command in confirmed:
            if run.stack.event_store.version(f"Shipment-{command.shipment_id}") == 1:
                run = run.submit(command, command_ids=(f"{command_id} at last",), once=True)
        while not run.idle:
            _, run = advance(run)
    return run


def main(url: str, seed: str, count: str) -> None:
    """Let one child after the other die."""
    random = Random(int(seed))
    for number in range(1, int(count) + 1):
        timed = random.random() < 0.5
        child = os.fork()
        if not child:
            try:
                serve(url, number, -1 if timed else random.randint(1, 50))
            finally:
                os._exit(1)
        if timed:
            sleep(random.uniform(0.01, 0.08))
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
