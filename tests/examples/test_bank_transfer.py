"""The transfer between two accounts, answer by answer."""

import pytest

from calamity_lab.errors import Rejected
from calamity_lab.examples.bank.account import (
    AccountClosed,
    AccountCommand,
    CancelTransfer,
    DepositFunds,
    FundsDeposited,
    FundsRefunded,
    FundsWithdrawn,
    RefundTransfer,
    TransferCancelled,
    TransferInitiated,
    WithdrawFunds,
)
from calamity_lab.examples.bank.transfer import Transfer
from calamity_lab.kernel.messages import Continue, Start, Stop

INITIATED = TransferInitiated("t", "1", "2", 60)
WITHDRAWN = FundsWithdrawn("1", 60, "t")


def rejection_of(command: AccountCommand) -> Rejected:
    rejected = Rejected("account closed")
    rejected.command = command
    return rejected


@pytest.mark.parametrize(
    ("event", "interest"),
    [
        (INITIATED, Start("t")),
        (WITHDRAWN, Continue("t")),
        (FundsDeposited("2", 60, "t"), Stop("t")),
        (FundsRefunded("1", 60, "t"), Stop("t")),
        (TransferCancelled("1", "t"), Stop("t")),
        (FundsWithdrawn("1", 60), None),
        (FundsDeposited("1", 60), None),
        (AccountClosed("1"), None),
    ],
)
def test_a_transfer_follows_its_own_money_and_leaves_cash_alone(event: object, interest: object) -> None:
    assert Transfer.interested(event) == interest


def test_a_transfer_that_was_initiated_withdraws_first() -> None:
    transfer = Transfer.new("t").apply(INITIATED)
    assert transfer == Transfer("t", "1", "2", 60, "initiated")
    assert transfer.handle(INITIATED) == WithdrawFunds("1", 60, "t")


def test_a_transfer_deposits_once_the_money_has_left() -> None:
    transfer = Transfer.new("t").apply(INITIATED).apply(WITHDRAWN)
    assert transfer == Transfer("t", "1", "2", 60, "funds withdrawn")
    assert transfer.handle(WITHDRAWN) == DepositFunds("2", 60, "t")


def test_a_transfer_whose_deposit_is_rejected_sends_the_money_back() -> None:
    transfer = Transfer.new("t").apply(INITIATED).apply(WITHDRAWN)
    assert transfer.handle_rejection(rejection_of(DepositFunds("2", 60, "t"))) == RefundTransfer("1", 60, "t")


def test_a_transfer_whose_withdrawal_is_rejected_is_cancelled() -> None:
    transfer = Transfer.new("t").apply(INITIATED)
    assert transfer.handle_rejection(rejection_of(WithdrawFunds("1", 60, "t"))) == CancelTransfer("1", "t")
