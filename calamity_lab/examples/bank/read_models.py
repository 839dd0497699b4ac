"""What the bank can read off its events: totals, and the turnover of each account.

No command needs these, so no aggregate keeps them. They are not part of the model of `bank`; a lab shows them
with ``Lab(bank, projections=[BankTotals, Turnover])``.
"""

from dataclasses import dataclass, replace
from typing import Self

from calamity_lab.examples.bank.account import (
    AccountClosed,
    AccountCreated,
    AccountEvent,
    FundsDeposited,
    FundsRefunded,
    FundsWithdrawn,
)


@dataclass(frozen=True, slots=True)
class BankTotals:
    """The whole bank: how many accounts are open, the money in them, and the money between two accounts."""

    accounts: int = 0
    held: int = 0
    in_transit: int = 0

    @classmethod
    def new(cls) -> Self:
        """The totals of a bank without accounts."""
        return cls()

    def apply(self, event: AccountEvent) -> Self:
        """The totals after an event."""
        match event:
            case AccountCreated():
                return replace(self, accounts=self.accounts + 1)
            case AccountClosed():
                return replace(self, accounts=self.accounts - 1)
            case FundsDeposited(_, amount, transfer_id):
                return self._moved(amount, -amount if transfer_id else 0)
            case FundsWithdrawn(_, amount, transfer_id):
                return self._moved(-amount, amount if transfer_id else 0)
            case FundsRefunded(_, amount):
                return self._moved(amount, -amount)
        return self

    def _moved(self, held: int, in_transit: int) -> Self:
        return replace(self, held=self.held + held, in_transit=self.in_transit + in_transit)


@dataclass(frozen=True, slots=True)
class Turnover:
    """An account: what was paid in and out, in cash and by transfer. There is one for each account."""

    account_id: str
    paid_in: int = 0
    paid_out: int = 0

    @classmethod
    def key(cls, event: AccountEvent) -> str | None:
        """The account whose money an event moves; None for other events."""
        match event:
            case FundsDeposited() | FundsWithdrawn() | FundsRefunded():
                return event.account_id
        return None

    @classmethod
    def new(cls, account_id: str) -> Self:
        """The turnover of an account before its first event."""
        return cls(account_id)

    def apply(self, event: AccountEvent) -> Self:
        """The turnover after an event. A refund takes back what was paid out."""
        match event:
            case FundsDeposited(_, amount):
                return replace(self, paid_in=self.paid_in + amount)
            case FundsWithdrawn(_, amount):
                return replace(self, paid_out=self.paid_out + amount)
            case FundsRefunded(_, amount):
                return replace(self, paid_out=self.paid_out - amount)
        return self
