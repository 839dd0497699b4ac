"""A bank: accounts, and transfers between accounts, which may be rejected halfway.

Read `account` first: the commands, the events and the aggregate. Then read `transfer`: the process manager.
`story()` returns the commands of a day at the bank, `random_commands()` those of a year.
"""

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
from calamity_lab.examples.bank.traffic import random_commands, story
from calamity_lab.examples.bank.transfer import Transfer, TransferEvent

__all__ = [
    "AccountClosed",
    "AccountCommand",
    "AccountCreated",
    "AccountEvent",
    "AccountRenamed",
    "BankAccount",
    "CancelTransfer",
    "CloseAccount",
    "CreateAccount",
    "DepositFunds",
    "FundsDeposited",
    "FundsRefunded",
    "FundsWithdrawn",
    "RefundTransfer",
    "RenameAccount",
    "RequestTransfer",
    "Transfer",
    "TransferCancelled",
    "TransferEvent",
    "TransferInitiated",
    "WithdrawFunds",
    "random_commands",
    "story",
]
