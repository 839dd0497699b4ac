"""Calamity's own four tests, and the cascade of its transfer step by step."""

from __future__ import annotations

from typing import Any

from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from tests.kernel.elixir import (
    REQUEST,
    AccountCreated,
    AccountRenamed,
    BankAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    RenameAccount,
    Transfer,
    TransferInitiated,
    WithdrawFunds,
    two_accounts,
)
from tests.kernel.running import kinds, stack_of, steps_of


def listening(**fields: Any) -> tuple[list[Any], Stack]:
    """A stack whose events a subscriber collects."""
    heard: list[Any] = []

    def subscriber(recorded: RecordedEvent) -> None:
        heard.append(recorded.event)

    return heard, Stack(event_store=InMemoryEventStore().subscribe(ALL, subscriber), **fields)


def test_dispatch_with_no_matching_aggregate() -> None:
    heard, stack = listening()
    stack = dispatch(stack, CreateAccount("1"))
    assert heard == [AccountCreated("1")]
    assert stack.aggregates["BankAccount-1"].balance == 0


def test_dispatch_with_matching_aggregate() -> None:
    heard, stack = listening(aggregates={"BankAccount-1": BankAccount("1", "Old account name", 100)})
    stack = dispatch(stack, RenameAccount("1", "New account name"))
    assert heard == [AccountRenamed("1", "New account name")]
    assert stack.aggregates["BankAccount-1"] == BankAccount("1", "New account name", 100)


def test_dispatch_with_process_manager() -> None:
    heard, stack = listening(aggregates=two_accounts(), process_manager_types=[Transfer])
    dispatch(stack, REQUEST)
    assert heard == [
        TransferInitiated("1", "2", 100, "t"),
        FundsWithdrawn("1", 100, "t"),
        FundsDeposited("2", 100, "t"),
    ]


def test_catches_up_with_the_event_store() -> None:
    missed = [AccountCreated("1"), FundsDeposited("1", 100)]
    store = InMemoryEventStore().append("BankAccount-1", missed)
    stack = dispatch(Stack(event_store=store), DepositFunds("1", 100))
    assert stack.aggregates["BankAccount-1"].balance == 200


def test_a_transfer_takes_these_steps_in_this_order() -> None:
    steps, stack = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    assert [(step.depth, type(step.command).__name__, step.kind) for step in steps] == [
        *[
            (0, "RequestTransfer", kind)
            for kind in ("Dispatched", "Executed", "Appended", "Started", "Completed")
        ],
        *[
            (1, "WithdrawFunds", kind)
            for kind in ("Dispatched", "Executed", "Appended", "Continued", "Completed")
        ],
        *[
            (2, "DepositFunds", kind)
            for kind in ("Dispatched", "Executed", "Appended", "Stopped", "Completed")
        ],
    ]
    assert [step.index for step in steps] == list(range(1, 16))
    assert stack.aggregates == {
        "BankAccount-1": BankAccount("1", "From account", 0),
        "BankAccount-2": BankAccount("2", "To account", 100),
    }
    assert stack.process_managers == {}


def test_a_transfer_manager_goes_through_its_stages_and_sends_a_command_at_each() -> None:
    steps, _ = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    reactions: list[Any] = [step for step in steps if step.kind in {"Started", "Continued", "Stopped"}]
    initiated = Transfer("t", "1", "2", 100, "initiated")
    withdrawn = Transfer("t", "1", "2", 100, "funds withdrawn")
    assert [(r.before, r.after) for r in reactions] == [
        (None, initiated),
        (initiated, withdrawn),
        (withdrawn, None),
    ]
    assert [[p.command for p in r.commands] for r in reactions] == [
        [WithdrawFunds("1", 100, "t")],
        [DepositFunds("2", 100, "t")],
        [],
    ]


def test_a_command_completes_before_what_it_caused_begins() -> None:
    steps, _ = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    assert kinds(steps).index("Completed") < [step.depth for step in steps].index(1)
