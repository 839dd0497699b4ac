"""A command is carried out once, also where it is tried again because nobody knew that it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from calamity_lab.errors import StoreUnavailable
from calamity_lab.examples.bank import (
    BankAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    RequestTransfer,
    Transfer,
)
from calamity_lab.kernel.clocks_and_ids import seeded_ids
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.protocols import ALL, ANY, Expected
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Conflicted, Executed, Settled
from calamity_lab.stores import SQLEventStore
from tests.kernel.durable import durable, new_store
from tests.kernel.outside import OutsideEvents
from tests.kernel.running import events, finish, kinds, stack_of


class Forgetful(OutsideEvents):
    """An event store whose connection is lost right after an append, before it can say so."""

    lost = False

    def append(
        self, stream_id: str, events: Iterable[Any], *, expected_version: Expected = ANY
    ) -> OutsideEvents:
        super().append(stream_id, events, expected_version=expected_version)
        if self.lost:
            self.lost = False
            raise StoreUnavailable("the server is gone")
        return self


def decided(stack: Stack, command: Any) -> Run:
    """The run in which the command's events are decided, and next to be appended."""
    step, run = advance(begin(stack, command))
    while not isinstance(step, Executed):
        step, run = advance(run)
    return run


def test_an_append_of_which_the_outcome_was_not_known_is_not_made_twice() -> None:
    store = Forgetful()
    run = decided(stack_of(event_store=store), DepositFunds("a", 5))
    store.lost = True
    with pytest.raises(StoreUnavailable):
        advance(run)
    steps, after = finish(run)
    assert kinds(steps) == ["Appended", "Completed"]
    assert events(after.stack) == [step.event for step in steps[0].recorded]
    assert after.stack.aggregates["BankAccount-a"].balance == 5
    assert after.stack.aggregate_versions["BankAccount-a"] == 1


def test_an_append_that_another_writer_came_before_is_still_a_conflict() -> None:
    store = Forgetful()
    run = decided(stack_of(event_store=store), DepositFunds("a", 5))
    store.append("BankAccount-a", [FundsDeposited("a", 5)])  # the same, but another command's
    steps, after = finish(run)
    assert isinstance(steps[0], Conflicted)
    assert after.stack.aggregates["BankAccount-a"].balance == 10


def test_a_store_that_says_what_it_recorded_is_not_read_again() -> None:
    class Recording(OutsideEvents):
        def record(self, stream_id: str, proposals: Any, expected_version: Expected) -> Any:
            recorded, self.held = self.held.record(stream_id, proposals, expected_version)
            return recorded, self

    store = Recording()
    run = decided(stack_of(event_store=store), DepositFunds("a", 5))
    store.append = store.stream = None  # type: ignore[assignment, method-assign]
    step, after = advance(run)
    assert step.recorded == tuple(store.held)
    assert after.stack.event_store is store


def test_a_subclass_with_an_append_of_its_own_is_asked_to_append() -> None:
    class Full(InMemoryEventStore):
        def append(self, *given: Any, **options: Any) -> Any:
            raise StoreUnavailable("the disk is full")

    with pytest.raises(StoreUnavailable, match="disk is full"):
        finish(begin(stack_of(event_store=Full()), DepositFunds("a", 5)))


def test_a_process_managers_command_that_somebody_else_carried_out_is_not_run_again() -> None:
    run = begin(stack_of(Transfer), DepositFunds("a", 100), RequestTransfer("t", "a", "b", 60))
    while not run.agenda or run.agenda.pending[0].sender is None:
        _, run = advance(run)
    while run.progress is not None:
        _, run = advance(run)
    _, other = finish(run)
    stack = Stack(event_store=other.stack.event_store, process_manager_types=(Transfer,), ids=run.stack.ids)
    steps, after = finish(Run(stack, run.agenda))
    assert not [step for step in steps if isinstance(step, Executed)]
    assert list(after.stack.event_store.stream(ALL)) == list(other.stack.event_store.stream(ALL))
    assert kinds(steps).count("Continued") == 1, "its events are handed on all the same"


def cut_short(store: SQLEventStore, name: str) -> None:
    """A process that dies in the middle of a transfer to account c, when the money has left the other."""
    stack = durable(Transfer, event_store=store, ids=seeded_ids(name))
    run = begin(stack, DepositFunds(name, 100), RequestTransfer(f"from {name}", name, "c", 60))
    while FundsWithdrawn(name, 60, f"from {name}") not in events(run.stack):
        _, run = advance(run)


def test_commands_that_two_processes_recover_at_once_are_carried_out_by_one_of_them() -> None:
    store = new_store()
    cut_short(store, "a")
    cut_short(store, "b")
    one, other = [
        recover(durable(Transfer, event_store=store, ids=seeded_ids(seed)), [BankAccount]) for seed in (1, 2)
    ]
    assert one.agenda == other.agenda == [DepositFunds("c", 60, "from b")]  # b went on with what a had left
    finish(one)
    there = events(one.stack)
    steps, after = finish(other)
    assert [step.outcome.verdict for step in steps if isinstance(step, Settled)] == ["accepted"]
    assert events(after.stack) == there
    rebuilt = recover(durable(Transfer, event_store=store), [BankAccount]).stack
    assert rebuilt.aggregates["BankAccount-c"].balance == 120
