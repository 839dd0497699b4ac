"""The transfer between two accounts, answer by answer, as scenarios."""

import pytest

from calamity_lab.examples.bank.account import (
    AccountClosed,
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
from calamity_lab.testing import given

INITIATED = TransferInitiated("t", "1", "2", 60)
WITHDRAWN = FundsWithdrawn("1", 60, "t")


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
    begun = given(manager=Transfer).when(INITIATED)
    begun.then_sends(WithdrawFunds("1", 60, "t")).then_state(Transfer("t", "1", "2", 60, "initiated"))


def test_a_transfer_deposits_once_the_money_has_left() -> None:
    left = given(INITIATED, manager=Transfer).when(WITHDRAWN)
    left.then_sends(DepositFunds("2", 60, "t")).then_state(Transfer("t", "1", "2", 60, "funds withdrawn"))


def test_a_transfer_ends_with_the_deposit() -> None:
    given(INITIATED, WITHDRAWN, manager=Transfer).when(
        FundsDeposited("2", 60, "t")
    ).then_nothing().then_state()


def test_a_transfer_whose_deposit_is_rejected_sends_the_money_back() -> None:
    rejected = given(INITIATED, WITHDRAWN, manager=Transfer).when_rejected(DepositFunds("2", 60, "t"))
    rejected.then_sends(RefundTransfer("1", 60, "t"))


def test_a_transfer_whose_withdrawal_is_rejected_is_cancelled() -> None:
    rejected = given(INITIATED, manager=Transfer).when_rejected(WithdrawFunds("1", 60, "t"))
    rejected.then_sends(CancelTransfer("1", "t"))
