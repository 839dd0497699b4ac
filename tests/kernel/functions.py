"""A small bank that is made of functions: a decider and two policies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from calamity_lab import Context, Decider, RecordedEvent, Rejected, command, policy


@dataclass(frozen=True)
class Opened:
    account_id: str


@dataclass(frozen=True)
class Paid:
    account_id: str
    amount: int


@dataclass(frozen=True)
class Welcomed:
    account_id: str
    reference: str


@command(to="Account", by="account_id")
@dataclass(frozen=True)
class Open:
    account_id: str


@command(to="Account", by="account_id")
@dataclass(frozen=True)
class Pay:
    account_id: str
    amount: int


@command(to="Account", by="account_id")
@dataclass(frozen=True)
class Welcome:
    account_id: str


@dataclass(frozen=True)
class Money:
    balance: int = 0
    is_open: bool = False


def decide(command: Any, state: Money, context: Context) -> Any:
    match command:
        case Open(account_id=account_id):
            if state.is_open:
                raise Rejected("open already")
            return [Opened(account_id), Paid(account_id, 1)]
        case Pay(account_id=account_id, amount=amount):
            if not state.is_open:
                raise Rejected("not open", amount=amount)
            return Paid(account_id, amount)
        case Welcome(account_id=account_id):
            return Welcomed(account_id, context.new_id())


def evolve(state: Money, event: Any) -> Money:
    match event:
        case Opened():
            return replace(state, is_open=True)
        case Paid(amount=amount):
            return replace(state, balance=state.balance + amount)
    return state


Account = Decider("Account", Money(), decide, evolve)


@policy
def welcome(event: Opened) -> Any:
    return [Welcome(event.account_id), Pay(event.account_id, 5)]


@policy
def remind(event: Paid | Welcomed, recorded: RecordedEvent) -> Any:
    return Pay("nobody", recorded.position) if isinstance(event, Welcomed) else None
