"""Actors that die are started again from the event store, and nobody sees a wrong answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from threading import Event, Thread
from typing import Any, Self

import pytest

from calamity_lab.errors import StoreUnavailable
from calamity_lab.examples.bank import (
    CloseAccount,
    CreateAccount,
    DepositFunds,
    RequestTransfer,
    Transfer,
)
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.run import advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors import protocol
from calamity_lab.stores.actors.placement import one_for_all, one_for_each, whereabouts
from calamity_lab.stores.actors.threads import ThreadActors
from tests.kernel.running import stack_of
from tests.stores.actors.bank_at_work import demand_order, in_actors, move_money

SHAPES = pytest.mark.parametrize("shape", [one_for_all, one_for_each])
Shape = Callable[[Stack, Any], Stack]
BEFORE = (DepositFunds("alice", 100), CreateAccount("carol"), CloseAccount("carol"))
ARRIVES = RequestTransfer("rent", "alice", "bob", 60)
COMES_BACK = RequestTransfer("gift", "alice", "carol", 60)
REFUSED = RequestTransfer("car", "alice", "bob", 6000)


def kill_all(actors: ThreadActors) -> None:
    """Stop every actor behind the back of those who refer to it."""
    for reference in list(actors._started.values()):
        reference.stop()


def told(stack: Stack, *commands: Any, at: int = 0, actors: Any = None) -> tuple[Any, ...]:
    """The steps of the commands, and what the stack has after them; at one step all actors die."""
    run, steps = begin(stack, *commands), []
    while not run.idle:
        step, run = advance(run)
        steps.append(step)
        if step.index == at:
            kill_all(actors)
    after = run.stack
    return steps, list(after.event_store), dict(after.aggregates), dict(after.process_managers)


@SHAPES
@pytest.mark.parametrize("transfer", [ARRIVES, COMES_BACK, REFUSED])
def test_all_actors_may_die_at_any_step_of_a_transfer_and_no_step_is_another(
    shape: Shape, transfer: Any
) -> None:
    commands = (*BEFORE, transfer)
    wanted = told(stack_of(Transfer), *commands)
    for at in range(1, len(wanted[0]) + 1):
        with ThreadActors() as actors:
            found = told(shape(stack_of(Transfer), actors), *commands, at=at, actors=actors)
            assert found == wanted, f"died at step {at}, {wanted[0][at - 1].kind}"


@SHAPES
def test_what_died_is_read_as_the_event_store_tells_it(shape: Shape) -> None:
    with ThreadActors() as actors:
        run = begin(shape(stack_of(Transfer), actors), *BEFORE, ARRIVES)
        while "Transfer-rent" not in run.stack.process_managers:
            _, run = advance(run)
        instances = run.stack.process_managers.shared
        instance, accounts = instances.read("Transfer-rent"), in_actors(run.stack)
        kill_all(actors)
        assert whereabouts(run.stack) == {}
        assert instances.read("Transfer-rent") == instance == run.stack.process_managers["Transfer-rent"]
        assert in_actors(run.stack) == accounts
        assert set(whereabouts(run.stack)) == {"Transfer-rent", *accounts}


@SHAPES
def test_actors_that_die_again_and_again_lose_no_money_and_no_transfer(shape: Shape) -> None:
    accounts, over = ("a", "b", "c", "d"), Event()
    with ThreadActors() as actors:
        stack = shape(Stack(process_manager_types=[Transfer], conflict_limit=100), actors)
        for account in accounts:
            stack = dispatch(stack, DepositFunds(account, 1000))

        def kill_one_after_the_other() -> None:
            random, pause = Random(1), 0.005 if shape is one_for_each else 0.03
            while not over.wait(pause):
                for reference in random.sample(list(actors._started.values()), min(1, len(actors))):
                    reference.stop(block=False)

        killer = Thread(target=kill_one_after_the_other)
        killer.start()
        try:
            move_money([stack] * 3, accounts, 40)
        finally:
            over.set()
            killer.join()
        demand_order(stack, 4000)


@dataclass(frozen=True)
class Leave:
    """Leaves, and takes whoever carries it out along."""

    def aggregate(self) -> tuple[type, str]:
        return Leaver, "1"


@dataclass(frozen=True)
class Leaver:
    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def execute(self, command: Leave) -> None:
        raise SystemExit("gone")

    def apply(self, event: Any) -> Self:
        return self


@SHAPES
def test_a_model_that_ends_its_thread_is_unavailable_and_the_others_go_on(
    shape: Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PAUSES", (0.0, 0.01, 0.01))
    with ThreadActors() as actors:
        stack = dispatch(shape(stack_of(Transfer), actors), DepositFunds("alice", 100))
        with pytest.raises(
            StoreUnavailable, match=r"Leaver-1 could not be asked to decide: 3 actors .* gone"
        ):
            dispatch(stack, Leave())
        assert dispatch(stack, DepositFunds("alice", 1)).aggregates["BankAccount-alice"].balance == 101


def test_closed_actors_say_so() -> None:
    with ThreadActors() as actors:
        stack = dispatch(one_for_each(stack_of(Transfer), actors), DepositFunds("alice", 100))
    assert len(actors) == 0
    with pytest.raises(StoreUnavailable, match=r"these actors were closed\. Start new ones"):
        dispatch(stack, DepositFunds("alice", 1))


@command(to="Tally", by="tally_id")
@dataclass(frozen=True)
class Add:
    tally_id: int
    by: int


@dataclass(frozen=True)
class Added:
    by: int


@dataclass(frozen=True)
class Tally:
    tally_id: int
    total: int = 0

    @classmethod
    def new(cls, tally_id: int) -> Tally:
        return cls(tally_id)

    def execute(self, command: Add) -> Added:
        return Added(command.by)

    def apply(self, event: Added) -> Tally:
        return replace(self, total=self.total + event.by)


@SHAPES
def test_an_aggregate_that_is_built_again_from_its_events_has_its_id_in_the_type_that_new_takes(
    shape: Shape,
) -> None:
    before = dispatch(stack_of(), Add(7, 2))
    with ThreadActors() as actors:
        stack = shape(before, actors)
        kill_all(actors)
        assert stack.aggregates["Tally-7"] == Tally(7, 2)
