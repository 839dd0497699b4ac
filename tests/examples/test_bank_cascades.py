"""The bank, a whole cascade at a time: in Calamity's order, and in any other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import Rejected
from calamity_lab.examples.bank import (
    AccountClosed,
    AccountCommand,
    AccountCreated,
    AccountRenamed,
    BankAccount,
    CloseAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsRefunded,
    FundsWithdrawn,
    RenameAccount,
    RequestTransfer,
    Transfer,
    TransferCancelled,
    TransferInitiated,
    WithdrawFunds,
    random_commands,
    story,
)
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Completed, Refused
from tests.examples.driving import finished, moments


def bank(*accounts: BankAccount) -> Stack:
    held = {f"BankAccount-{account.account_id}": account for account in accounts}
    return Stack(aggregates=held, process_manager_types=(Transfer,))


def events_of(stack: Stack) -> list[object]:
    return [recorded.event for recorded in stack.event_store.stream(ALL)]


def balances_of(stack: Stack) -> dict[str, int]:
    return {account.account_id: account.balance for account in stack.aggregates.values()}


def money_in(stack: Stack) -> int:
    """What lies on the accounts, and what is between two of them."""
    under_way: list[int] = [t.amount for t in stack.process_managers.values() if t.stage == "funds withdrawn"]
    return sum(balances_of(stack).values()) + sum(under_way)


def cash_brought(stack: Stack) -> int:
    """What customers have brought, less what they have fetched; transfers do not count."""
    total = 0
    for event in events_of(stack):
        match event:
            case FundsDeposited(amount=amount, transfer_id=None):
                total += amount
            case FundsWithdrawn(amount=amount, transfer_id=None):
                total -= amount
    return total


def test_a_transfer_withdraws_then_deposits_and_is_over() -> None:
    stack = dispatch(bank(BankAccount("1", 100), BankAccount("2")), RequestTransfer("t", "1", "2", 100))
    assert events_of(stack) == [
        TransferInitiated("t", "1", "2", 100),
        FundsWithdrawn("1", 100, "t"),
        FundsDeposited("2", 100, "t"),
    ]
    assert balances_of(stack) == {"1": 0, "2": 100}
    assert "Transfer-t" not in stack.process_managers


def test_a_transfer_to_a_closed_account_is_rejected_halfway_and_the_money_comes_back() -> None:
    stack = bank(BankAccount("1", 100), BankAccount("2", status="closed"))
    stack = dispatch(stack, RequestTransfer("t", "1", "2", 60))
    assert events_of(stack) == [
        TransferInitiated("t", "1", "2", 60),
        FundsWithdrawn("1", 60, "t"),
        FundsRefunded("1", 60, "t"),
    ]
    assert balances_of(stack) == {"1": 100, "2": 0}
    assert "Transfer-t" not in stack.process_managers


def test_a_transfer_whose_money_is_gone_in_the_meantime_is_cancelled() -> None:
    run = begin(bank(BankAccount("1", 100)), RequestTransfer("t", "1", "2", 60), WithdrawFunds("1", 100))
    stack = finished(run, picks=[0, 1, 0, 0]).stack
    assert events_of(stack) == [
        TransferInitiated("t", "1", "2", 60),
        FundsWithdrawn("1", 100),
        TransferCancelled("1", "t"),
    ]
    assert balances_of(stack) == {"1": 0}
    assert "Transfer-t" not in stack.process_managers


def test_money_comes_back_even_to_an_account_that_was_closed_meanwhile() -> None:
    stack = bank(BankAccount("1", 100), BankAccount("2", status="closed"))
    run = begin(stack, RequestTransfer("t", "1", "2", 100), CloseAccount("1"))
    stack = finished(run, picks=[0, 0, 1, 0]).stack
    assert events_of(stack)[2:] == [AccountClosed("1"), FundsRefunded("1", 100, "t")]
    assert stack.aggregates["BankAccount-1"].balance == 100


def test_a_transfer_that_the_sender_cannot_pay_is_rejected_to_the_one_who_asked() -> None:
    with pytest.raises(Rejected, match="insufficient funds"):
        dispatch(bank(BankAccount("1", 3)), RequestTransfer("t", "1", "2", 60))


def test_the_story_shows_a_transfer_that_arrives_one_rejected_at_once_and_one_rejected_halfway() -> None:
    run = begin(bank(), *story())
    rejections = [step for step, _ in moments(run) if isinstance(step, Refused)]
    assert [(type(step.command), step.reason) for step in rejections] == [
        (RequestTransfer, "insufficient funds"),
        (DepositFunds, "account closed"),
    ]
    stack = finished(run).stack
    assert balances_of(stack) == {"alice": 40_00, "bob": 50_00, "carol": 0}
    assert not stack.process_managers


def test_the_story_and_the_traffic_together_show_every_event_but_the_cancelled_transfer() -> None:
    stack = finished(begin(bank(), *story(), *random_commands(300))).stack
    assert {type(event) for event in events_of(stack)} == {
        AccountClosed,
        AccountCreated,
        AccountRenamed,
        FundsDeposited,
        FundsRefunded,
        FundsWithdrawn,
        TransferInitiated,
    }


def test_a_few_commands_in_a_hundred_of_the_traffic_are_rejected_and_every_transfer_ends() -> None:
    steps, runs = zip(*moments(begin(bank(), *random_commands(2_000, seed=3))), strict=True)
    rejected = [step.reason for step in steps if isinstance(step, Refused)]
    assert set(rejected) == {"insufficient funds", "account closed"}
    assert 20 < len(rejected) < 400
    stack = runs[-1].stack
    assert not stack.process_managers
    assert money_in(stack) == cash_brought(stack)


accounts = st.sampled_from(["1", "2", "3"])
amounts = st.integers(min_value=-5, max_value=120)
cash = st.one_of(
    st.builds(CreateAccount, accounts),
    st.builds(RenameAccount, accounts, st.text(max_size=3)),
    st.builds(DepositFunds, accounts, amounts),
    st.builds(WithdrawFunds, accounts, amounts),
    st.builds(CloseAccount, accounts),
)
transfers = st.builds(RequestTransfer, st.uuids().map(str), accounts, accounts, amounts)
scripts = st.lists(st.one_of(transfers, cash), max_size=25)
orders = st.lists(st.integers(min_value=0, max_value=30), min_size=1, max_size=40)


@settings(deadline=None)
@given(script=scripts, picks=orders)
def test_no_money_is_made_or_lost_at_any_time_whatever_is_asked_in_whatever_order(
    script: list[AccountCommand], picks: list[int]
) -> None:
    opening = [BankAccount("1", balance=100), BankAccount("2"), BankAccount("3", status="closed")]
    for step, run in moments(begin(bank(*opening), *script), picks):
        if isinstance(step, Completed):
            assert money_in(run.stack) == 100 + cash_brought(run.stack)
            assert min(balances_of(run.stack).values()) >= 0


@settings(deadline=None)
@given(script=scripts, picks=orders)
def test_every_transfer_ends_once_whatever_is_asked_in_whatever_order(
    script: list[AccountCommand], picks: list[int]
) -> None:
    stack = finished(begin(bank(BankAccount("1", balance=100)), *script), picks).stack
    started, ended = [], []
    for event in events_of(stack):
        match event:
            case TransferInitiated(transfer_id=transfer_id):
                started.append(transfer_id)
            case FundsDeposited(transfer_id=str(transfer_id)):
                ended.append(transfer_id)
            case FundsRefunded(transfer_id=transfer_id) | TransferCancelled(transfer_id=transfer_id):
                ended.append(transfer_id)
    assert sorted(started) == sorted(ended)
    assert not stack.process_managers
