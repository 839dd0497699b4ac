"""Open end 7: process managers are caught up from the event store when they first matter, and only once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import pytest

from calamity_lab.errors import ModelError
from calamity_lab.kernel.messages import Continue, Start, Stop
from calamity_lab.kernel.run import advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import CaughtUp, Continued, Ignored, Populated
from tests.kernel.elixir import (
    BankAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    Transfer,
    TransferInitiated,
    WithdrawFunds,
)
from tests.kernel.running import kinds, only, stack_of, steps_of

INITIATED = TransferInitiated("1", "2", 100, "t")
RICH = {"BankAccount-1": [FundsDeposited("1", 1_000), INITIATED]}


@dataclass(frozen=True)
class Ledger:
    """Notes every deposit of an account in the order in which it is told."""

    account: str
    noted: tuple[int, ...] = ()
    asked: ClassVar[list[Any]] = []

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | Stop | None:
        cls.asked.append(event)
        match event:
            case FundsDeposited(account, amount):
                return Continue(account) if amount < 0 else Start(account)
            case FundsWithdrawn(account, 0):
                return Stop(account)
        return None

    @classmethod
    def new(cls, account: str) -> Self:
        return cls(account)

    def apply(self, event: Any) -> Self:
        return replace(self, noted=(*self.noted, event.amount))

    def handle(self, event: Any) -> None:
        return None


@dataclass(frozen=True)
class Second(Ledger):
    """Another of the same."""


def noted(stack: Stack, manager: type = Ledger) -> Any:
    return stack.process_managers[f"{manager.__name__}-1"].noted


def written(stack: Stack, *amounts: int) -> Stack:
    """The stack after another writer has paid in."""
    events = [FundsDeposited("1", amount) for amount in amounts]
    return replace(stack, event_store=stack.event_store.append("BankAccount-1", events))


def test_a_manager_sees_the_history_before_the_first_event_that_concerns_it() -> None:
    steps, stack = steps_of(stack_of(Transfer, event_store=RICH), WithdrawFunds("1", 100, "t"))
    step = only(Continued, steps)
    assert (step.before.stage, step.after.stage) == ("initiated", "funds withdrawn")
    assert stack.process_manager_versions["Transfer-t"] == 3


def test_catching_up_is_a_step_that_tells_how_many_events_were_taken_in() -> None:
    steps, _ = steps_of(stack_of(Transfer, event_store=RICH), WithdrawFunds("1", 100, "t"))
    assert kinds(steps)[:6] == ["Dispatched", "Populated", "Executed", "Appended", "CaughtUp", "Continued"]
    aggregate, manager = only(Populated, steps[:6]), only(CaughtUp, steps[:6])
    assert (aggregate.identity.stream_id, aggregate.count) == ("BankAccount-1", 2)
    assert (manager.identity.stream_id, manager.count) == ("Transfer-t", 1)


def test_what_a_manager_answers_while_it_is_caught_up_was_sent_then_and_is_not_sent_again() -> None:
    steps, _ = steps_of(stack_of(Transfer, event_store=RICH), DepositFunds("1", 5, "t"))
    assert {type(step.command) for step in steps} == {DepositFunds}


def test_a_manager_that_does_not_matter_is_not_caught_up() -> None:
    steps, stack = steps_of(stack_of(Transfer, event_store=RICH), CreateAccount("9"))
    assert kinds(steps) == ["Dispatched", "Populated", "Executed", "Appended", "Completed"]
    assert stack.process_managers == {}


def test_an_instance_given_with_its_version_is_not_shown_again_what_it_has_seen() -> None:
    history = {"BankAccount-1": [FundsDeposited("1", n) for n in (1, 2, 3)]}
    stack = stack_of(
        Ledger,
        event_store=history,
        process_managers={"Ledger-1": Ledger("1", (1, 2))},
        process_manager_versions={"Ledger-1": 2},
    )
    stack = dispatch(stack, DepositFunds("1", 4))
    assert noted(stack) == (1, 2, 3, 4)
    assert stack.process_manager_versions["Ledger-1"] == 4


def test_an_instance_given_with_a_version_that_began_elsewhere_is_not_shown_it_again() -> None:
    stack = stack_of(
        Transfer,
        event_store={"BankAccount-1": [FundsDeposited("1", 500), FundsWithdrawn("1", 100, "t")]},
        process_managers={"Transfer-t": Transfer("t", "1", "2", 100, "funds withdrawn")},
        process_manager_versions={"Transfer-t": 1},
    )
    steps, _ = steps_of(stack, WithdrawFunds("1", 100, "t"))
    assert kinds(steps)[:5] == ["Dispatched", "Populated", "Executed", "Appended", "Continued"]


def test_events_that_were_ignored_do_not_count_as_seen() -> None:
    history = {"BankAccount-1": [FundsDeposited("1", n) for n in (-1, 2, 3)]}
    stack = stack_of(
        Ledger,
        event_store=history,
        process_managers={"Ledger-1": Ledger("1", (2,))},
        process_manager_versions={"Ledger-1": 1},
    )
    assert noted(dispatch(stack, DepositFunds("1", 4))) == (2, 3, 4)


def test_events_of_other_writers_are_seen_before_the_next_of_ones_own_and_once() -> None:
    stack = dispatch(stack_of(Ledger), DepositFunds("1", 1))
    for n in (10, 20, 30):
        stack = dispatch(written(stack, n, n + 1), DepositFunds("1", n + 2))
    assert noted(stack) == (1, 10, 11, 12, 20, 21, 22, 30, 31, 32)


def test_a_type_added_later_sees_everything_and_those_known_see_nothing_twice() -> None:
    stack = dispatch(dispatch(stack_of(Ledger), DepositFunds("1", 1)), DepositFunds("1", 2))
    stack = replace(stack, process_manager_types=(Ledger, Second))
    stack = dispatch(stack, CreateAccount("9"))
    for n in (3, 4):
        stack = dispatch(stack, DepositFunds("1", n))
    assert noted(stack) == noted(stack, Second) == (1, 2, 3, 4)


def test_a_type_added_later_that_nothing_concerns_keeps_nobody_from_going_on() -> None:
    stack = dispatch(stack_of(Ledger), DepositFunds("1", 1))
    stack = replace(stack, process_manager_types=(Ledger, Transfer))
    for n in (2, 3):
        stack = dispatch(written(stack, -n), DepositFunds("1", n))
    assert noted(stack) == (1, -2, 2, -3, 3)


def test_a_type_taken_out_and_put_back_sees_what_it_missed() -> None:
    stack = dispatch(stack_of(Ledger), DepositFunds("1", 1))
    stack = dispatch(replace(stack, process_manager_types=()), DepositFunds("1", 2))
    stack = dispatch(replace(stack, process_manager_types=(Ledger,)), DepositFunds("1", 3))
    assert noted(stack) == (1, 2, 3)


def test_an_instance_that_stopped_in_the_history_is_gone() -> None:
    history = {"BankAccount-1": [FundsDeposited("1", 5), FundsWithdrawn("1", 0)]}
    steps, stack = steps_of(stack_of(Ledger, event_store=history), DepositFunds("1", -1))
    assert only(Ignored, steps).identity.stream_id == "Ledger-1"
    assert stack.process_managers == {}


def test_a_run_that_is_left_in_the_middle_hands_nothing_on_twice() -> None:
    run = begin(stack_of(Ledger, Second), DepositFunds("1", 1))
    while True:
        step, run = advance(run)
        if step.kind == "Started":
            break
    stack = dispatch(run.stack, DepositFunds("1", 2))
    assert noted(stack) == noted(stack, Second) == (1, 2)


def test_each_event_is_looked_at_once_for_each_type_however_often_others_write() -> None:
    def looked_at(rounds: int) -> float:
        stack = stack_of(Ledger)
        Ledger.asked.clear()
        for n in range(rounds):
            stack = dispatch(written(stack, n), DepositFunds("1", n))
        return len(Ledger.asked) / len(stack.event_store)

    assert looked_at(200) == pytest.approx(looked_at(20), rel=0.1)


def test_a_manager_that_breaks_on_the_history_is_named_and_nothing_is_lost() -> None:
    @dataclass(frozen=True)
    class Brittle(Ledger):
        def apply(self, event: Any) -> Self:
            raise KeyError(event.amount)

    stack = stack_of(Brittle, event_store={"BankAccount-1": [FundsDeposited("1", 5)]})
    with pytest.raises(
        ModelError, match=r"Brittle\.apply raised KeyError: 5 in .*, for FundsDeposited"
    ) as caught:
        dispatch(stack, DepositFunds("1", 6))
    assert caught.value.run.stack.aggregates["BankAccount-1"] == BankAccount("1", balance=11)
