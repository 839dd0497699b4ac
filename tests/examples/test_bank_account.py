"""The rules of a bank account, as scenarios: given these events, when this is asked, then that happens."""

import pytest

from calamity_lab.examples.bank.account import (
    AccountClosed,
    AccountCommand,
    AccountCreated,
    AccountEvent,
    AccountRenamed,
    BankAccount,
    CancelTransfer,
    CloseAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsRefunded,
    FundsWithdrawn,
    RefundTransfer,
    RenameAccount,
    RequestTransfer,
    TransferCancelled,
    TransferInitiated,
    WithdrawFunds,
)
from calamity_lab.kernel.ask import target
from calamity_lab.kernel.identity import Identity
from calamity_lab.testing import given

CREATED = AccountCreated("1", "Ada")
PAID_IN = FundsDeposited("1", 100)
CLOSED = AccountClosed("1")


@pytest.mark.parametrize(
    ("before", "when", "then"),
    [
        pytest.param([], CreateAccount("1", "Ada"), CREATED, id="create"),
        pytest.param([], DepositFunds("1", 5), FundsDeposited("1", 5), id="deposit before creation"),
        pytest.param([CREATED], RenameAccount("1", "Bea"), AccountRenamed("1", "Bea"), id="rename"),
        pytest.param([CREATED], DepositFunds("1", 5, "t"), FundsDeposited("1", 5, "t"), id="deposit"),
        pytest.param(
            [PAID_IN], WithdrawFunds("1", 100, "t"), FundsWithdrawn("1", 100, "t"), id="withdraw all"
        ),
        pytest.param(
            [PAID_IN],
            RequestTransfer("t", "1", "2", 100),
            TransferInitiated("t", "1", "2", 100),
            id="transfer",
        ),
        pytest.param([CREATED], CancelTransfer("1", "t"), TransferCancelled("1", "t"), id="cancel"),
        pytest.param([CREATED], RefundTransfer("1", 5, "t"), FundsRefunded("1", 5, "t"), id="refund"),
        pytest.param([CREATED], CloseAccount("1"), CLOSED, id="close"),
        pytest.param(
            [CLOSED], CancelTransfer("1", "t"), TransferCancelled("1", "t"), id="cancel when closed"
        ),
        pytest.param(
            [CLOSED], RefundTransfer("1", 5, "t"), FundsRefunded("1", 5, "t"), id="refund when closed"
        ),
    ],
)
def test_a_command_within_the_rules_leads_to_its_event(
    before: list[AccountEvent], when: AccountCommand, then: AccountEvent
) -> None:
    given(*before).when(when).then(then)


@pytest.mark.parametrize(
    ("before", "when", "reason"),
    [
        pytest.param([CREATED], CreateAccount("1"), "account exists already", id="create twice"),
        pytest.param(
            [CREATED, CLOSED], CreateAccount("1"), "account exists already", id="create a closed one"
        ),
        pytest.param([CLOSED], RenameAccount("1", "Bea"), "account closed", id="rename when closed"),
        pytest.param([CLOSED], DepositFunds("1", 5), "account closed", id="deposit when closed"),
        pytest.param([CLOSED], CloseAccount("1"), "account closed", id="close twice"),
        pytest.param([PAID_IN], CloseAccount("1"), "account not empty", id="close with money on it"),
        pytest.param([], DepositFunds("1", 0), "amount must be positive", id="deposit nothing"),
        pytest.param([PAID_IN], WithdrawFunds("1", -5), "amount must be positive", id="withdraw a negative"),
        pytest.param(
            [PAID_IN], RequestTransfer("t", "1", "2", 0), "amount must be positive", id="transfer 0"
        ),
        pytest.param([PAID_IN], WithdrawFunds("1", 101), "insufficient funds", id="withdraw too much"),
        pytest.param(
            [PAID_IN], RequestTransfer("t", "1", "2", 101), "insufficient funds", id="transfer too much"
        ),
    ],
)
def test_a_command_against_the_rules_is_rejected_with_its_reason(
    before: list[AccountEvent], when: AccountCommand, reason: str
) -> None:
    given(*before).when(when).then_rejected(reason)


def test_a_rejection_for_want_of_money_tells_the_balance() -> None:
    given(BankAccount("1", balance=3)).when(WithdrawFunds("1", 5)).then_rejected(balance=3)


def test_the_state_is_what_the_events_add_up_to() -> None:
    given(
        CREATED,
        FundsDeposited("1", 100),
        TransferInitiated("t", "1", "2", 60),
        FundsWithdrawn("1", 60, "t"),
        FundsRefunded("1", 60, "t"),
        TransferCancelled("1", "u"),
        FundsWithdrawn("1", 90),
    ).when(RenameAccount("1", "Bea")).then_state(BankAccount("1", balance=10, name="Bea", status="open"))


def test_closing_changes_the_status_and_nothing_else() -> None:
    given(CREATED).when(CloseAccount("1")).then_state(
        BankAccount("1", balance=0, name="Ada", status="closed")
    )


def test_an_account_made_by_hand_is_open() -> None:
    given(BankAccount("1", balance=100)).when(WithdrawFunds("1", 100)).then(FundsWithdrawn("1", 100))


def test_every_command_of_a_transfer_goes_to_the_account_it_concerns() -> None:
    for command in (RequestTransfer("t", "1", "2", 5), CancelTransfer("1", "t"), RefundTransfer("1", 5, "t")):
        assert target(command) == Identity(BankAccount, "1")
