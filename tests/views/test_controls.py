"""The controls tell where the cursor stands and what happened there."""

from __future__ import annotations

from itertools import pairwise

import pytest

from calamity_lab.errors import IdleRun
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, WithdrawFunds
from calamity_lab.views.controls import MOST_TICKS, ControlsView, controls
from tests.moments import after
from tests.views.traces import stepper_of, story_of, trace_of


def test_before_anything_happened_the_controls_stand_at_the_start() -> None:
    assert controls(stepper_of(DepositFunds("a", 1)).trace, 0) == ControlsView(
        cursor=0,
        last=0,
        at_start=True,
        at_end=False,
        sentence="Nothing has happened yet",
        tone="plain",
        command_number=0,
        commands=0,
        ticks=(),
        rejections=(),
        branch="main",
    )


def test_a_lab_on_a_history_tells_at_its_start_how_long_that_is() -> None:
    history = trace_of(DepositFunds("a", 1))[5].stack.event_store
    view = controls(trace_of(DepositFunds("a", 1), event_store=history), 0)
    assert view.sentence == "Nothing has happened yet; the history has 1 event"


def test_ticks_are_commands_and_rejections_are_marked() -> None:
    trace = story_of(bank)
    view = controls(trace, trace.last)
    assert view.ticks == tuple(after(trace, "Dispatched", nth) for nth in range(1, 16))
    assert view.rejections == (after(trace, "Refused"), after(trace, "Refused", 2))
    assert (view.at_start, view.at_end, view.command_number, view.commands) == (False, True, 15, 15)


@pytest.mark.parametrize(
    ("what", "nth", "tone", "sentence"),
    [
        ("CreateAccount", 1, "plain", "CreateAccount dispatched to BankAccount-alice"),
        ("Executed", 6, "good", "WithdrawFunds accepted, 1 event"),
        ("Refused", 1, "rejected", "RequestTransfer rejected: insufficient funds (balance 4000)"),
        (
            "Completed",
            8,
            "rejected",
            "RequestTransfer rejected: insufficient funds (balance 4000); completed",
        ),
        ("Stopped", 2, "plain", "Transfer-gift stopped by FundsRefunded"),
        (
            "Completed",
            -1,
            "good",
            "WithdrawFunds accepted, 1 event, BankAccount-bob now has balance 5000; completed",
        ),
    ],
)
def test_the_sentence_tells_the_fact_of_the_moment(what: str, nth: int, tone: str, sentence: str) -> None:
    trace = story_of(bank)
    cursor = after(trace, what, nth)
    view = controls(trace, cursor)
    assert (view.tone, view.sentence) == (tone, f"Step {cursor}: {sentence}")


def test_an_error_takes_the_place_of_the_sentence() -> None:
    trace = story_of(bank)
    view = controls(trace, trace.last, IdleRun())
    assert view.tone == "error"
    assert view.sentence.startswith("cannot advance: nothing is in progress")


def test_the_command_number_counts_along_with_the_cursor() -> None:
    trace = story_of(bank)
    numbers = [controls(trace, cursor).command_number for cursor in range(len(trace))]
    assert numbers[0] == 0
    assert numbers[-1] == 15
    assert all(after - before in (0, 1) for before, after in pairwise(numbers))


def test_a_conflict_is_said_as_one() -> None:
    history = trace_of(DepositFunds("a", 5))[5].stack.event_store
    trace = trace_of(
        DepositFunds("a", 1), aggregates={"BankAccount-a": BankAccount("a")}, event_store=history
    )
    view = controls(trace, 3)
    assert view.tone == "conflict"
    assert "BankAccount-a was changed by another writer" in view.sentence
    assert controls(trace, trace.last).tone == "good"


def test_of_many_commands_and_of_many_rejections_some_are_left() -> None:
    trace = trace_of(*[WithdrawFunds("a", 1)] * 1_000)
    view = controls(trace, 0)
    assert 200 <= len(view.ticks) <= MOST_TICKS
    assert 200 <= len(view.rejections) <= MOST_TICKS
    assert view.rejections[-1] == trace.index.rejections[-1]
    assert set(view.rejections) <= set(trace.index.rejections)
