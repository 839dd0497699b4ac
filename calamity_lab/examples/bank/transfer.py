"""A transfer between two accounts. It takes a process manager, because a command changes one account only.

The money leaves the first account, then enters the second. When the second account rejects it, the money goes
back. A rejection is not an event, so a transfer that fails ends with another command, and the event of that.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

from calamity_lab.errors import Rejected
from calamity_lab.examples.bank.account import (
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
from calamity_lab.kernel.messages import Continue, Start, Stop

TransferEvent = TransferInitiated | FundsWithdrawn | FundsDeposited | FundsRefunded | TransferCancelled


@dataclass(frozen=True, slots=True)
class Transfer:
    """Moves money between two accounts, and sends it back when it cannot arrive."""

    transfer_id: str
    from_account: str = ""
    to_account: str = ""
    amount: int = 0
    stage: Literal["new", "initiated", "funds withdrawn"] = "new"

    @classmethod
    def interested(cls, event: object) -> Start | Continue | Stop | None:
        """The transfer that an event belongs to. Cash has no transfer_id and belongs to none."""
        match event:
            case TransferInitiated(transfer_id=transfer_id):
                return Start(transfer_id)
            case FundsWithdrawn(transfer_id=str(transfer_id)):
                return Continue(transfer_id)
            case FundsDeposited(transfer_id=str(transfer_id)):
                return Stop(transfer_id)
            case FundsRefunded(transfer_id=transfer_id) | TransferCancelled(transfer_id=transfer_id):
                return Stop(transfer_id)
        return None

    @classmethod
    def new(cls, transfer_id: str) -> Self:
        """The transfer before its first event."""
        return cls(transfer_id)

    def apply(self, event: TransferEvent) -> Self:
        """The transfer after an event."""
        match event:
            case TransferInitiated(_, from_account, to_account, amount):
                return replace(
                    self, from_account=from_account, to_account=to_account, amount=amount, stage="initiated"
                )
            case FundsWithdrawn():
                return replace(self, stage="funds withdrawn")
        return self

    def handle(self, event: TransferEvent) -> AccountCommand | None:
        """The next command, now that an event has happened."""
        match event:
            case TransferInitiated():
                return WithdrawFunds(self.from_account, self.amount, self.transfer_id)
            case FundsWithdrawn():
                return DepositFunds(self.to_account, self.amount, self.transfer_id)
        return None

    def handle_rejection(self, rejected: Rejected) -> AccountCommand | None:
        """The command to send instead, now that a command of this transfer was rejected."""
        match rejected.command:
            case WithdrawFunds():
                return CancelTransfer(self.from_account, self.transfer_id)
            case DepositFunds():
                return RefundTransfer(self.from_account, self.amount, self.transfer_id)
        return None
