"""Calamity's own test domain, line by line: a bank without rules but the balance (Rosa Richter, MIT)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from calamity_lab.errors import Rejected
from calamity_lab.kernel.messages import Continue, Start, Stop, command


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class CreateAccount:
    account_id: str


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class RenameAccount:
    account_id: str
    name: str


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class DepositFunds:
    account_id: str
    amount: int
    transfer_id: str | None = None


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class WithdrawFunds:
    account_id: str
    amount: int
    transfer_id: str | None = None


@dataclass(frozen=True, slots=True)
class RequestTransfer:
    from_: str
    to: str
    amount: int
    transfer_id: str

    def aggregate(self) -> tuple[type, str]:
        return BankAccount, self.from_


@dataclass(frozen=True, slots=True)
class AccountCreated:
    account_id: str


@dataclass(frozen=True, slots=True)
class AccountRenamed:
    account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class FundsDeposited:
    account_id: str
    amount: int
    transfer_id: str | None = None


@dataclass(frozen=True, slots=True)
class FundsWithdrawn:
    account_id: str
    amount: int
    transfer_id: str | None = None


@dataclass(frozen=True, slots=True)
class TransferInitiated:
    from_: str
    to: str
    amount: int
    transfer_id: str


@dataclass(frozen=True, slots=True)
class BankAccount:
    account_id: str
    name: str | None = None
    balance: int = 0

    @classmethod
    def new(cls, account_id: str) -> Self:
        return cls(account_id)

    def execute(self, command: Any) -> Any:
        match command:
            case CreateAccount(account_id):
                return AccountCreated(account_id)
            case RenameAccount(account_id, name):
                return AccountRenamed(account_id, name)
            case DepositFunds(account_id, amount, transfer_id):
                return FundsDeposited(account_id, amount, transfer_id)
            case WithdrawFunds(amount=amount) | RequestTransfer(amount=amount) if amount > self.balance:
                raise Rejected("insufficient funds", balance=self.balance)
            case WithdrawFunds(account_id, amount, transfer_id):
                return FundsWithdrawn(account_id, amount, transfer_id)
            case RequestTransfer(from_, to, amount, transfer_id):
                return TransferInitiated(from_, to, amount, transfer_id)
        raise TypeError(command)

    def apply(self, event: Any) -> Self:
        match event:
            case AccountRenamed(name=name):
                return replace(self, name=name)
            case FundsDeposited(amount=amount):
                return replace(self, balance=self.balance + amount)
            case FundsWithdrawn(amount=amount):
                return replace(self, balance=self.balance - amount)
        return self


@dataclass(frozen=True, slots=True)
class Transfer:
    transfer_id: str
    from_: str = ""
    to: str = ""
    amount: int = 0
    stage: str = "new"

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | Stop | None:
        match event:
            case TransferInitiated(transfer_id=id_):
                return Start(id_)
            case FundsWithdrawn(transfer_id=str(id_)):
                return Continue(id_)
            case FundsDeposited(transfer_id=str(id_)):
                return Stop(id_)
        return None

    @classmethod
    def new(cls, transfer_id: str) -> Self:
        return cls(transfer_id)

    def apply(self, event: Any) -> Self:
        match event:
            case TransferInitiated(from_, to, amount):
                return replace(self, from_=from_, to=to, amount=amount, stage="initiated")
            case FundsWithdrawn():
                return replace(self, stage="funds withdrawn")
        return self

    def handle(self, event: Any) -> Any:
        match event:
            case TransferInitiated():
                return WithdrawFunds(self.from_, self.amount, self.transfer_id)
            case FundsWithdrawn():
                return DepositFunds(self.to, self.amount, self.transfer_id)
        return None


REQUEST = RequestTransfer(from_="1", to="2", amount=100, transfer_id="t")


def two_accounts() -> dict[str, BankAccount]:
    """The accounts of Calamity's transfer test."""
    return {
        "BankAccount-1": BankAccount("1", "From account", 100),
        "BankAccount-2": BankAccount("2", "To account", 0),
    }
