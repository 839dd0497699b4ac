"""The same deposits with the `eventsourcing` library, its stores in memory."""

from __future__ import annotations

from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event


class Account(Aggregate):
    """A bank account with the one rule that deposits have."""

    def __init__(self) -> None:
        self.balance = 0

    @event("FundsDeposited")
    def _deposited(self, amount: int) -> None:
        self.balance += amount

    def deposit(self, amount: int) -> None:
        if amount <= 0:
            raise ValueError("amount must be positive")
        self._deposited(amount)


def deposits(count: int, *, cached: bool = False) -> Application[UUID]:
    """As many deposits on one account, each saved; the account is loaded anew each time, or cached."""
    app = Application[UUID](env={"AGGREGATE_CACHE_MAXSIZE": "100"} if cached else {})
    account = Account()
    app.save(account)
    for _ in range(count):
        account = app.repository.get(account.id)
        account.deposit(5)
        app.save(account)
    return app
