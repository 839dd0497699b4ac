"""A store that breaks in the middle of a cascade leaves nothing owed, though its actor lives on."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.errors import CalamityError, StoreUnavailable, TooManyConflicts, WrongExpectedVersion
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel.protocols import NO_STREAM
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.placement import HeldEventStore
from calamity_lab.stores.actors.stack_actor import StackActor


class Failing(HeldEventStore):
    """An event store that does not take the append with a number, for a reason."""

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


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (StoreUnavailable("gone"), StoreUnavailable),
        (WrongExpectedVersion("BankAccount-b", NO_STREAM, 1), TooManyConflicts),
    ],
)
def test_what_a_failed_command_left_owed_is_carried_out_before_the_next(
    reason: CalamityError, told: type[CalamityError]
) -> None:
    store = Failing(4, reason)  # the deposit at the other account
    stack = Stack(event_store=store, process_manager_types=[Transfer], conflict_limit=0)
    with StackActor(stack) as actor:
        actor.dispatch(DepositFunds("a", 100))
        with pytest.raises(told):
            actor.dispatch(RequestTransfer("t", "a", "b", 60))
        recorded = actor.dispatch(DepositFunds("a", 1))
        assert [r.event.amount for r in recorded] == [1]
        assert dict(actor.stack.aggregates)["BankAccount-b"].balance == 60
        assert dict(actor.stack.process_managers) == {}
    assert recover(Stack(event_store=store, process_manager_types=[Transfer]), [BankAccount]).idle
