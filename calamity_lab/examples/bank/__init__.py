"""A bank: accounts, and transfers between accounts, which may be rejected halfway.

Read `account` first: the commands, the events and the aggregate. Then read `transfer`: the process manager.
`story()` returns the commands of a day at the bank, `random_commands()` those of a year.
"""

from collections.abc import Iterator
from itertools import count as counting
from itertools import islice
from random import Random

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


def story() -> tuple[AccountCommand, ...]:
    """A day at the bank: a transfer that arrives, one rejected at once, and one rejected halfway."""
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


_FIRST_NAMES = ("Ada", "Bela", "Chidi", "Dara", "Eun", "Femi", "Greta", "Hana", "Ivo", "Jun", "Kai", "Lena")
_LAST_NAMES = ("Abara", "Brandt", "Costa", "Doyle", "Endo", "Fischer", "Gupta", "Horvat")
_KINDS_AND_WEIGHTS = {"transfer": 50, "deposit": 25, "withdrawal": 18, "rename": 3, "short-lived account": 4}


def random_commands(count: int, *, seed: int = 0, accounts: int = 20) -> tuple[AccountCommand, ...]:
    """A mixed history of `count` commands: mostly transfers, some rejected at once, some halfway.

    First, `accounts` accounts are opened and get money. Some later accounts are closed right after
    they are opened; transfers to those accounts are refunded.
    """
    if count < 0:
        raise ValueError(f"random_commands needs a count of 0 or more; it got {count}")
    if accounts < 2:
        raise ValueError(f"random_commands needs at least 2 accounts, for transfers; it got {accounts}")
    return tuple(islice(_traffic(Random(seed), accounts), count))


def _traffic(random: Random, accounts: int) -> Iterator[AccountCommand]:
    regulars = [f"A{number:03}" for number in range(1, accounts + 1)]
    # Few people move most of the money; that gives an analysis something to find.
    activity = [1 / rank for rank in range(1, accounts + 1)]
    closed: list[str] = []
    for account in regulars:
        yield CreateAccount(account, _name(random))
        yield DepositFunds(account, _amount(random, typical=1_000_00))
    for number in counting(1):
        account = random.choices(regulars, activity)[0]
        match random.choices(list(_KINDS_AND_WEIGHTS), list(_KINDS_AND_WEIGHTS.values()))[0]:
            case "transfer":
                to_closed = bool(closed) and random.random() < 0.05
                receiver = random.choice(closed if to_closed else [a for a in regulars if a != account])
                yield RequestTransfer(f"T{number:06}", account, receiver, _amount(random, typical=80_00))
            case "deposit":
                yield DepositFunds(account, _amount(random, typical=110_00))
            case "withdrawal":
                yield WithdrawFunds(account, _amount(random, typical=90_00))
            case "rename":
                yield RenameAccount(account, _name(random))
            case "short-lived account":
                closed.append(f"C{number:06}")
                yield CreateAccount(closed[-1], _name(random))
                yield CloseAccount(closed[-1])


def _name(random: Random) -> str:
    return f"{random.choice(_FIRST_NAMES)} {random.choice(_LAST_NAMES)}"


def _amount(random: Random, *, typical: int) -> int:
    """An amount in pence: most are near the typical one, a few are many times as high."""
    return max(1, round(typical * random.lognormvariate(0, 0.9)))
