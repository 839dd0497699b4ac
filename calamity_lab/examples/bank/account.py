"""A bank account: its commands, its events, and the rules that decide which events a command leads to.

Every amount is an int, in pence. The example comes from Calamity's tests (Rosa Richter, MIT). As there, you
can pay money into an account that nobody has created. Closing an account, cancelling a transfer and refunding
a transfer are added here.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

from calamity_lab.errors import Rejected
from calamity_lab.kernel.messages import command

# Commands are orders: what somebody wants to happen. The bank may reject a command.


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class CreateAccount:
    """Open an account with a balance of zero."""

    account_id: str
    name: str | None = None


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class RenameAccount:
    """Give an account another name."""

    account_id: str
    name: str


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class DepositFunds:
    """Pay money in: cash, or the second half of a transfer."""

    account_id: str
    amount: int
    transfer_id: str | None = None


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class WithdrawFunds:
    """Take money out: cash, or the first half of a transfer."""

    account_id: str
    amount: int
    transfer_id: str | None = None


@command(to="BankAccount", by="from_account")
@dataclass(frozen=True, slots=True)
class RequestTransfer:
    """Ask for money to be moved from one account to another."""

    transfer_id: str
    from_account: str
    to_account: str
    amount: int


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class CancelTransfer:
    """Cancel a transfer before any money has moved."""

    account_id: str
    transfer_id: str


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class RefundTransfer:
    """Pay money back to the account it came from, because it could not arrive."""

    account_id: str
    amount: int
    transfer_id: str


@command(to="BankAccount", by="account_id")
@dataclass(frozen=True, slots=True)
class CloseAccount:
    """Close an empty account for good."""

    account_id: str


# Events are facts: what has happened. Nobody can reject an event.


@dataclass(frozen=True, slots=True)
class AccountCreated:
    """An account was opened."""

    account_id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class AccountRenamed:
    """An account got another name."""

    account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class FundsDeposited:
    """Money came in."""

    account_id: str
    amount: int
    transfer_id: str | None = None


@dataclass(frozen=True, slots=True)
class FundsWithdrawn:
    """Money went out."""

    account_id: str
    amount: int
    transfer_id: str | None = None


@dataclass(frozen=True, slots=True)
class TransferInitiated:
    """Somebody asked for a transfer; no money has moved yet."""

    transfer_id: str
    from_account: str
    to_account: str
    amount: int


@dataclass(frozen=True, slots=True)
class TransferCancelled:
    """A transfer was cancelled; no money has moved."""

    account_id: str
    transfer_id: str


@dataclass(frozen=True, slots=True)
class FundsRefunded:
    """Money came back from a transfer that could not arrive."""

    account_id: str
    amount: int
    transfer_id: str


@dataclass(frozen=True, slots=True)
class AccountClosed:
    """An account was closed."""

    account_id: str


AccountCommand = (
    CreateAccount
    | RenameAccount
    | DepositFunds
    | WithdrawFunds
    | RequestTransfer
    | CancelTransfer
    | RefundTransfer
    | CloseAccount
)
AccountEvent = (
    AccountCreated
    | AccountRenamed
    | FundsDeposited
    | FundsWithdrawn
    | TransferInitiated
    | TransferCancelled
    | FundsRefunded
    | AccountClosed
)


@dataclass(frozen=True, slots=True)
class BankAccount:
    """A bank account: its balance, and whether it is open."""

    account_id: str
    balance: int = 0
    name: str | None = None
    status: Literal["unopened", "open", "closed"] = "open"

    @classmethod
    def new(cls, account_id: str) -> Self:
        """The account before its first event."""
        return cls(account_id, status="unopened")

    def execute(self, command: AccountCommand) -> AccountEvent:
        """Decide which event a command leads to, or reject the command."""
        self._reject_if_against_the_rules(command)
        match command:
            case CreateAccount(account_id, name):
                return AccountCreated(account_id, name)
            case RenameAccount(account_id, name):
                return AccountRenamed(account_id, name)
            case DepositFunds(account_id, amount, transfer_id):
                return FundsDeposited(account_id, amount, transfer_id)
            case WithdrawFunds(account_id, amount, transfer_id):
                return FundsWithdrawn(account_id, amount, transfer_id)
            case RequestTransfer(transfer_id, from_account, to_account, amount):
                return TransferInitiated(transfer_id, from_account, to_account, amount)
            case CancelTransfer(account_id, transfer_id):
                return TransferCancelled(account_id, transfer_id)
            case RefundTransfer(account_id, amount, transfer_id):
                return FundsRefunded(account_id, amount, transfer_id)
            case CloseAccount(account_id):
                return AccountClosed(account_id)

    def _reject_if_against_the_rules(self, command: AccountCommand) -> None:
        match command:
            case RefundTransfer() | CancelTransfer():
                return  # a transfer must be able to end, even if its account was closed meanwhile
            case CreateAccount() if self.status != "unopened":
                raise Rejected("account exists already", status=self.status)
            case _ if self.status == "closed":
                raise Rejected("account closed")
            case CloseAccount() if self.balance > 0:
                raise Rejected("account not empty", balance=self.balance)
            case (
                DepositFunds(amount=amount) | WithdrawFunds(amount=amount) | RequestTransfer(amount=amount)
            ) if amount <= 0:
                raise Rejected("amount must be positive", amount=amount)
            case WithdrawFunds(amount=amount) | RequestTransfer(amount=amount) if amount > self.balance:
                raise Rejected("insufficient funds", balance=self.balance)

    def apply(self, event: AccountEvent) -> Self:
        """The account after an event."""
        match event:
            case AccountCreated(name=name):
                return replace(self, name=name, status="open")
            case AccountRenamed(name=name):
                return replace(self, name=name)
            case FundsDeposited(amount=amount) | FundsRefunded(amount=amount):
                return replace(self, balance=self.balance + amount)
            case FundsWithdrawn(amount=amount):
                return replace(self, balance=self.balance - amount)
            case TransferInitiated() | TransferCancelled():
                return self
            case AccountClosed():
                return replace(self, status="closed")
