"""A run of 100,000 events in 1,000 lanes: every figure is drawn in seconds, and says what it leaves out."""

from __future__ import annotations

import random
from functools import cache
from time import process_time

import pytest

from calamity_lab.examples import bank
from calamity_lab.figures.timeline import without_covered
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.views.lanes import DrawnMark, Row, Whole
from tests.figures.drawing import marks, texts

EVENTS, LANES = 100_000, 1_000


@cache
def large() -> Lab:
    deposits = [bank.FundsDeposited("x", 1)] * (EVENTS // LANES)
    store = InMemoryEventStore.from_streams({f"BankAccount-{n}": deposits for n in range(LANES)})
    lab = Lab(bank, stack=Stack(event_store=store), checked=False)
    lab.send(bank.DepositFunds("7", 3))
    lab.resume()
    return lab


@pytest.mark.parametrize(
    ("name", "arguments", "note"),
    [
        ("plot_timeline", (), "position (left out: "),
        ("plot_process_managers", (), "has happened"),
        ("plot_sequence", (), "DepositFunds"),
        ("plot_state", (), "and 97"),
        ("plot_events", (), "Events 99,976 to 100,001 of 100,001, 100,001 so far"),
        ("plot_agenda", (), "the agenda is empty"),
        ("plot_field", ("BankAccount-7", "balance"), "version"),
    ],
)
def test_a_figure_of_a_large_run_takes_seconds_and_says_what_is_not_in_it(
    name: str, arguments: tuple[str, ...], note: str
) -> None:
    lab, began = large(), process_time()
    ax = getattr(lab, name)(*arguments)
    assert process_time() - began < 3
    assert any(note in text for text in texts(ax)), texts(ax)
    assert marks(ax) < 5_000


def test_of_marks_that_lie_under_each_other_one_is_kept_for_each_kind_and_side_of_the_cursor() -> None:
    drawn = random.Random(1)
    found = Whole(
        (Row("Order", "Order", "aggregate", 1_000),),
        tuple(
            DrawnMark(
                drawn.random() * EVENTS, 0, drawn.choice(["event", "command"]), "", place, drawn.random()
            )
            for place in range(EVENTS)
        ),
        (),
    )
    kept = without_covered(found, EVENTS // 2, EVENTS / 100, 8 / 20)
    assert len(kept) == 2 * 2 * 100 * 20
    few = Whole(found.rows, found.marks[:5_000], ())
    assert without_covered(few, 10, EVENTS, EVENTS) == few.marks
