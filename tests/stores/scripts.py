"""Random scripts of commands, and what comes of them in plain values: the same whatever the stores are.

A script is a few commands to the bank or to the shop, with ids of its own, so that many may be performed
on one store. Refusals, refunds, cancellations and cascades over several aggregates are among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count as counting
from random import Random
from typing import Any, NamedTuple

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import CancelTransfer, CloseAccount, CreateAccount, RequestTransfer
from calamity_lab.examples.fulfilment import (
    Address,
    AskCourier,
    CancelOrder,
    Card,
    ConfirmDelivery,
    ExpirePayment,
    OrderLine,
    PlaceOrder,
    ReceiveStock,
    Speed,
)
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Refused
from calamity_lab.model import Model

# Every class of both models, for stores that have to know them.
TYPES: tuple[type, ...] = (*Model.find(bank), *Model.find(fulfilment))
EVENTS: tuple[type, ...] = (*Model.find(bank).events, *Model.find(fulfilment).events)
MANAGERS = (bank.Transfer, fulfilment.OrderFulfilment, fulfilment.Replenishment)
_IDS = ("account_id", "from_account", "to_account", "transfer_id")
_CARDS = tuple(
    Card(number, date(year, 12, 31), Decimal(limit))
    for number, year, limit in (("good", 2027, 500), ("small", 2027, 30), ("expired", 2025, 500))
)
_PLACES = (Address("Oranienstr. 1", "Berlin", "DE"), Address("Karl Johans gate 9", "Oslo", "NO"))


@dataclass(frozen=True, slots=True)
class Script:
    """Commands to be performed one after the other, each with all that it causes."""

    number: int
    commands: tuple[Any, ...]


class Outcome(NamedTuple):
    """What came of a script: its events in order of position, the states they lead to, and the refusals.

    Of ids only is told which are the same: they are numbered in the order in which they appear.
    """

    events: tuple[tuple[Any, ...], ...]
    states: dict[str, Any]
    refused: tuple[tuple[str, str], ...]


def scripts(count: int, *, start: int = 0) -> Iterator[Script]:
    """So many scripts, the same every time: four of five for the bank, one for the shop."""
    for number in range(start, start + count):
        random = Random(number)
        commands = _in_the_shop(number, random) if number % 5 == 4 else _at_the_bank(number, random)
        yield Script(number, tuple(commands))


def new_stack(event_store: Any, *, seed: str = "scripts", **stores: Any) -> Stack:
    """A stack for scripts, on that event store."""
    return Stack(
        event_store=event_store,
        process_manager_types=MANAGERS,
        ids=seeded_ids(seed),
        clock=ticking_clock(),
        **stores,
    )


def perform(stack: Stack, script: Script) -> tuple[Stack, tuple[tuple[str, str], ...]]:
    """The stack after a script, and the type of each command that was refused, with the reason."""
    run, refused = begin(stack, *script.commands), []
    while not run.idle:
        step, run = advance(run)
        if isinstance(step, Refused):
            refused.append((step.pending.command_type, str(step.rejected)))
    return run.stack, tuple(refused)


def outcome(stack: Any, refused: tuple[tuple[str, str], ...] = (), *, after: int = 0) -> Outcome:
    """What a stack shows of all events behind a position."""
    recorded = list(stack.event_store.stream(ALL, start_version=after + 1))
    numbers = counting()
    known: dict[str | None, int | None] = {None: None}
    events = []
    for place, r in enumerate(recorded, after + 1):
        for id_ in (r.correlation_id, r.causation_id, r.event_id):
            if id_ not in known:
                known[id_] = next(numbers)
        chain = (known[r.correlation_id], known[r.causation_id], known[r.event_id])
        placed = (r.stream_id, r.stream_version, r.position == place)
        events.append((r.event, r.event_type, *placed, *chain, dict(r.metadata)))
    return Outcome(tuple(events), _states(stack, [r.stream_id for r in recorded], recorded), refused)


def _states(stack: Any, stream_ids: list[str], recorded: list[Any]) -> dict[str, Any]:
    """The state of every aggregate with events, and of every process manager that they concern, or None."""
    states = {stream_id: stack.aggregates.get(stream_id) for stream_id in stream_ids}
    for r in recorded:
        for manager in MANAGERS:
            interest = manager.interested(r.event)  # type: ignore[attr-defined]
            if interest is not None:
                stream_id = Identity(manager, interest.id).stream_id
                states[stream_id] = stack.process_managers.get(stream_id)
    return states


def _at_the_bank(number: int, random: Random) -> Iterator[Any]:
    """Accounts and traffic between them; some has transfers to an account that is closed."""
    accounts = 2 + number % 2
    traffic = list(bank.random_commands(2 * accounts + 3, seed=number, accounts=accounts))
    if random.random() < 0.2:
        del traffic[random.randrange(len(traffic))]
    if random.random() < 0.3:
        closed = CloseAccount("C")
        to_closed = RequestTransfer("TC", "A001", "C", random.choice([1, 20_00]))
        cancel = CancelTransfer("A001", "TC")
        traffic[-1:] = random.choice(
            [[CreateAccount("C"), closed, to_closed], [closed, to_closed, closed], [cancel, to_closed]]
        )
    for command in traffic:
        ids = {f.name: getattr(command, f.name) for f in fields(command) if f.name in _IDS}
        yield replace(command, **{name: f"{number}-{id_}" for name, id_ in ids.items() if id_ is not None})


def _in_the_shop(number: int, random: Random) -> Iterator[Any]:
    """Stock comes in, orders are placed, delivered, cancelled; some with a bad card, some to Oslo."""
    skus, orders = [f"{number}-mug", f"{number}-pot"], [f"{number}-a", f"{number}-b"]
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    for sku in skus:
        yield ReceiveStock(sku, random.randint(0, 9))
    for _ in range(4):
        order = random.choice(orders)
        match random.choices(["place", "deliver", "cancel", "receive"], [5, 3, 1, 1])[0]:
            case "place":
                chosen = random.sample(skus, random.randint(1, 2))
                lines = tuple(OrderLine(sku, random.randint(1, 5), Decimal("8.50")) for sku in chosen)
                card, place = random.choices(_CARDS, [6, 1, 1])[0], random.choices(_PLACES, [5, 1])[0]
                speed = random.choice(list(Speed))
                yield PlaceOrder(
                    order, "Noor", lines, place, card, at, speed, random.choice([None, "für Dich"])
                )
            case "deliver":
                yield ConfirmDelivery(f"parcel-{order}", at, random.choice([None, "Noor"]))
            case "cancel":
                yield CancelOrder(order, "changed my mind")
            case "receive":
                yield ReceiveStock(random.choice(skus), random.randint(1, 9))
    if number % 10 == 4:  # what the deadlines of the shop would send
        yield AskCourier(f"parcel-{orders[0]}")
        yield ExpirePayment(f"pay-{orders[1]}", orders[1])
