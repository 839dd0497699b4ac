"""Stores of somebody's own of which a method forgets its last line, `return self`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from calamity_lab.errors import StoreError
from calamity_lab.examples.bank import (
    AccountClosed,
    BankAccount,
    DepositFunds,
    FundsDeposited,
    RequestTransfer,
    Transfer,
    TransferInitiated,
)
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.in_memory_stores import InMemoryProcessManagerStore
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores import SQLEventStore
from tests.kernel.outside import OutsideAggregates, OutsideEvents


class OutsideManagers:
    """Process managers in a dict of its own."""

    def __init__(self) -> None:
        self.held = InMemoryProcessManagerStore()

    def handle_event(self, event: Any, types: Any) -> tuple[Any, OutsideManagers]:
        reactions, self.held = self.held.handle_event(event, types)
        return reactions, self

    def get(self, key: Any, default: Any = None) -> Any:
        return self.held.get(key, default)


def forgetful(base: type, method: str) -> type:
    """The same kind of store, of which one method gives None for the store after it."""

    def forgets(self: Any, *given: Any, **more: Any) -> Any:
        answer = getattr(base, method)(self, *given, **more)
        return (answer[0], None) if isinstance(answer, tuple) else None

    return type(f"Forgetful{base.__name__}", (base,), {method: forgets})


def somebody_is_first(store: Any) -> None:
    store.append("BankAccount-a", [FundsDeposited("a", 1)])


STACKS: dict[str, Callable[[], Stack]] = {
    "ForgetfulOutsideEvents.append": lambda: Stack(event_store=forgetful(OutsideEvents, "append")()),
    "ForgetfulOutsideAggregates.dispatch": lambda: Stack(
        aggregates=forgetful(OutsideAggregates, "dispatch")()
    ),
    "ForgetfulOutsideAggregates.apply": lambda: Stack(
        aggregates=forgetful(OutsideAggregates, "apply")(),
        event_store=InMemoryEventStore().append("BankAccount-a", [FundsDeposited("a", 1)]),
    ),
    "ForgetfulOutsideAggregates.forget": lambda: Stack(
        aggregates=forgetful(OutsideAggregates, "forget")(), event_store=OutsideEvents(somebody_is_first)
    ),
    "ForgetfulOutsideManagers.handle_event": lambda: Stack(
        process_managers=forgetful(OutsideManagers, "handle_event")(), process_manager_types=[Transfer]
    ),
    "ForgetfulOutsideManagers.handle_event, catching up": lambda: Stack(
        process_managers=forgetful(OutsideManagers, "handle_event")(),
        process_manager_types=[Transfer],
        event_store=InMemoryEventStore().append(
            "BankAccount-c", [FundsDeposited("c", 1), TransferInitiated("t0", "c", "a", 1)]
        ),
    ),
    "ForgetfulSQLEventStore.settle": lambda: Stack(
        event_store=forgetful(SQLEventStore, "settle")("sqlite://", [BankAccount, Transfer]).append(
            "BankAccount-b", [AccountClosed("b")]
        ),
        process_manager_types=[Transfer],
    ),
}


@pytest.mark.parametrize("method", STACKS)
def test_a_method_that_gives_no_store_is_named_with_what_to_return(method: str) -> None:
    stack, name = STACKS[method](), method.partition(".")[0]
    method = method.partition(",")[0]
    advice = rf"^{method}\(\.\.\.\) gave None for the store after it; return the {name} as it is now"
    with pytest.raises(StoreError, match=advice):
        dispatch(dispatch(stack, DepositFunds("a", 3)), RequestTransfer("t", "a", "b", 2))
