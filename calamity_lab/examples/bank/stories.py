"""A day at the bank, as commands."""

from calamity_lab.examples.bank.account import (
    AccountCommand,
    CloseAccount,
    CreateAccount,
    DepositFunds,
    RenameAccount,
    RequestTransfer,
    WithdrawFunds,
)


def story() -> tuple[AccountCommand, ...]:
    """A day at the bank: a transfer that arrives, one refused at once, and one refused halfway."""
    return (
        CreateAccount("alice", name="Alice"),
        CreateAccount("bob", name="Bob"),
        CreateAccount("carol", name="Carol"),
        DepositFunds("alice", amount=100_00),
        RequestTransfer("rent", from_account="alice", to_account="bob", amount=60_00),
        RequestTransfer("car", from_account="alice", to_account="bob", amount=5_000_00),
        RenameAccount("carol", name="Carol (moved away)"),
        CloseAccount("carol"),
        RequestTransfer("gift", from_account="bob", to_account="carol", amount=25_00),
        WithdrawFunds("bob", amount=10_00),
    )
