"""A store that breaks in the middle of a cascade leaves nothing owed, though its actor lives on."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.errors import (
    CalamityError,
    InvalidValue,
    ModelError,
    StoreUnavailable,
    TooManyConflicts,
    WrongExpectedVersion,
)
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel.protocols import NO_STREAM
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.placement import HeldEventStore
from calamity_lab.stores.actors.stack_actor import StackActor
from calamity_lab.stores.sql.event_store import SQLEventStore


class Failing(HeldEventStore):
    """An event store that keeps events only, and does not take the append with a number, for a reason."""

    def __init__(self, number: int, reason: CalamityError) -> None:
        super().__init__()
        self.appends = 0
        self.number = number
        self.reason = reason

    def append(self, *given: Any, **options: Any) -> HeldEventStore:
        self.appends += 1
        if self.appends == self.number:
            raise self.reason
        return super().append(*given, **options)


class FailingInSQL(SQLEventStore):
    """The same, which keeps marks and an outbox."""

    def __init__(self, number: int, reason: CalamityError) -> None:
        super().__init__("sqlite://", bank)
        self.appends = 0
        self.number = number
        self.reason = reason

    def record(self, *given: Any, **options: Any) -> Any:
        self.appends += 1
        if self.appends == self.number:
            raise self.reason
        return super().record(*given, **options)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (StoreUnavailable("gone"), StoreUnavailable),
        (WrongExpectedVersion("BankAccount-b", NO_STREAM, 1), TooManyConflicts),
    ],
)
@pytest.mark.parametrize("failing", [Failing, FailingInSQL])
def test_what_a_failed_command_left_owed_is_carried_out_before_the_next(
    failing: Any, reason: CalamityError, told: type[CalamityError]
) -> None:
    store = failing(4, reason)  # the deposit at the other account
    stack = Stack(event_store=store, process_manager_types=[Transfer], conflict_limit=0)
    with StackActor(stack) as actor:
        actor.dispatch(DepositFunds("a", 100))
        with pytest.raises(told):
            actor.dispatch(RequestTransfer("t", "a", "b", 60))
        recorded = actor.dispatch(DepositFunds("a", 1))
        assert [r.event.amount for r in recorded] == [1]
        assert dict(actor.stack.aggregates)["BankAccount-b"].balance == 60
        assert dict(actor.stack.process_managers) == {}
        if failing is FailingInSQL:
            assert recover(actor.stack).idle


def test_a_command_whose_callback_raised_is_tried_again_without_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = SQLEventStore("sqlite://", bank)
    plain, broken = BankAccount.execute, {"b"}

    def execute(self: BankAccount, command: Any) -> Any:
        if self.account_id in broken and getattr(command, "transfer_id", None):
            raise KeyError("no such key")
        return plain(self, command)

    monkeypatch.setattr(BankAccount, "execute", execute)
    with StackActor(Stack(event_store=store, process_manager_types=[Transfer])) as actor:
        actor.dispatch(DepositFunds("a", 100))
        with pytest.raises(ModelError, match="no such key"):
            actor.dispatch(RequestTransfer("t", "a", "b", 60))
        (failure,) = actor.failed
        assert failure.pending is not None
        assert failure.pending.command == DepositFunds("b", 60, "t")
        assert [r.event.amount for r in actor.dispatch(DepositFunds("a", 1))] == [1], "others are served"
        assert len(actor.failed) == 1
        broken.clear()
        assert [r.event.amount for r in actor.dispatch(DepositFunds("a", 2))] == [2]
        assert actor.failed == ()
        assert actor.stack.aggregates["BankAccount-b"].balance == 60
        assert all(entry.outcome == "accepted" for entry in store.outbox)


@pytest.mark.parametrize("way", ["drop", "replace"])
def test_a_command_whose_callback_raises_can_be_dropped_or_replaced(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLEventStore("sqlite://", bank)
    plain = BankAccount.execute

    def execute(self: BankAccount, command: Any) -> Any:
        if self.account_id == "b" and getattr(command, "transfer_id", None):
            raise KeyError("no such key")
        return plain(self, command)

    monkeypatch.setattr(BankAccount, "execute", execute)
    with StackActor(Stack(event_store=store, process_manager_types=[Transfer])) as actor:
        actor.dispatch(DepositFunds("a", 100))
        with pytest.raises(ModelError):
            actor.dispatch(RequestTransfer("t", "a", "b", 60))
        (failure,) = actor.failed
        assert failure.pending is not None
        command_id = failure.pending.command_id
        if way == "drop":
            actor.drop_failed(command_id, "paid by hand")
        else:
            actor.replace_failed(command_id, DepositFunds("c", 60, "t"))
            assert actor.stack.aggregates["BankAccount-c"].balance == 60
        assert actor.failed == ()
        entry = next(entry for entry in store.outbox if entry.command_id == command_id)
        kept = {"drop": ("dropped", "paid by hand"), "replace": ("replaced", "by DepositFunds")}
        assert (entry.outcome, entry.reason) == kept[way]
        assert recover(actor.stack).idle
        with pytest.raises(InvalidValue, match="was set aside"):
            actor.drop_failed(command_id, "again")
