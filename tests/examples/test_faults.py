"""Every row of the tables in docs/faults.md is what the lab shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import calamity_lab
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import CreateAccount, DepositFunds, RequestTransfer
from calamity_lab.examples.fulfilment import ReceiveStock
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.trace.sentences import fact
from calamity_lab.views.arrows import cause_of
from calamity_lab.views.chart import Mark

PAGE = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+\(.*\))` \| (.+?) \| (.+) \|$", re.MULTILINE)
KINDS = {"ConcurrentWriter", "Redeliver", "Lose", "Crash", "ClockJump"}


def transfer() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(CreateAccount("alice"), CreateAccount("bob"), DepositFunds("alice", 100))
    lab.resume()
    lab.send(RequestTransfer("t1", "alice", "bob", 60), DepositFunds("bob", 5))
    return lab


def of_transfer(lab: Lab) -> str:
    alice, bob = (lab.aggregates[f"BankAccount-{name}"].balance for name in ("alice", "bob"))
    there = lab.process_managers.get("Transfer-t1")
    return f"alice {alice}, bob {bob}, transfer {'ended' if there is None else there.stage}"


def order() -> Lab:
    lab = Lab(fulfilment, ids=seeded_ids(7), clock=ticking_clock())
    mugs, teapots, placed, *_ = fulfilment.story()
    lab.send(mugs, teapots)
    lab.resume()
    lab.send(placed, ReceiveStock("kettle", 1))
    return lab


def of_order(lab: Lab) -> str:
    def status(stream_id: str) -> str:
        there = lab.aggregates.get(stream_id)
        return "none" if there is None else str(there.status.value)

    mugs, teapots = (lab.aggregates[f"StockItem-{sku}"].on_shelf for sku in ("mug", "teapot"))
    kettle = "no kettle" if lab.aggregates.get("StockItem-kettle") is None else "kettle received"
    return (
        f"order {status('Order-1001')}, payment {status('Payment-pay-1001')}, "
        f"parcel {status('Shipment-parcel-1001')}, {mugs} mugs, {teapots} teapots, {kettle}"
    )


EXAMPLES: dict[str, tuple[Any, Callable[[], Lab], Callable[[Lab], str]]] = {
    "## A transfer": (bank, transfer, of_transfer),
    "## An order": (fulfilment, order, of_order),
}


def rows() -> Iterator[tuple[str, str, str]]:
    for heading in EXAMPLES:
        section = PAGE.partition(heading)[2].partition("\n## ")[0]
        for found in ROW.finditer(section):
            yield heading, found[1], found[2]


def fault_in(heading: str, written: str) -> Any:
    return eval(
        written, {**vars(calamity_lab), **_FAULTS, **vars(EXAMPLES[heading][0]), "timedelta": timedelta}
    )


_FAULTS = {name: getattr(calamity_lab, name) for name in KINDS}


@pytest.mark.parametrize(("heading", "written", "outcome"), list(rows()))
def test_every_row_of_the_tables_is_the_outcome_of_its_fault(
    heading: str, written: str, outcome: str
) -> None:
    _, begun, outcome_of = EXAMPLES[heading]
    lab = begun()
    lab.inject(fault_in(heading, written))
    lab.resume()
    assert outcome_of(lab) == outcome
    assert list(lab.faults) == []
    (step,) = [each for each in lab.steps if each.is_injected]
    assert fact(step).startswith("Injected: ")
    replayed = [repr(moment) for moment in lab.trace]
    lab.replay()
    assert [repr(moment) for moment in lab.trace] == replayed
    assert outcome_of(lab) == outcome


@pytest.mark.parametrize("heading", EXAMPLES)
def test_every_fault_has_a_row_and_the_outcome_without_one_is_told(heading: str) -> None:
    assert {written.partition("(")[0] for each, written, _ in rows() if each == heading} == KINDS
    _, begun, outcome_of = EXAMPLES[heading]
    lab = begun()
    lab.resume()
    section = PAGE.partition(heading)[2].partition("\n## ")[0]
    assert f"outcome is: {outcome_of(lab)}." in " ".join(section.split())


@pytest.mark.parametrize(
    ("heading", "written", "event_type"),
    [
        ("## A transfer", "Redeliver(FundsWithdrawn)", "FundsDeposited"),
        ("## An order", "Redeliver(CardCharged)", "PaymentRefunded"),
    ],
)
def test_the_lab_shows_that_a_wrong_event_came_of_the_fault(
    heading: str, written: str, event_type: str
) -> None:
    lab = EXAMPLES[heading][1]()
    lab.inject(fault_in(heading, written))
    lab.resume()

    def came_of_the_fault(mark: Mark | None) -> bool:
        while mark is not None:
            if mark.kind == "step" and lab.steps[mark.number - 1].is_injected:
                return True
            mark = cause_of(lab.trace, mark)
        return False

    numbers = [n for n, each in enumerate(lab.events, 1) if each.event_type == event_type]
    assert any(came_of_the_fault(Mark("event", n)) for n in numbers)
