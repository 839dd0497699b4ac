"""Actors are asked, and the event store is read, no oftener than need be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from calamity_lab.errors import Rejected
from calamity_lab.examples.bank import DepositFunds, FundsDeposited, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Executed, Started
from calamity_lab.stores.actors.placement import HeldEventStore, one_for_all, one_for_each
from calamity_lab.stores.actors.threads import ThreadActors
from tests.kernel.running import finish
from tests.stores.actors.bank_at_work import in_actors


class Counting(ThreadActors):
    """Notes what actors are asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def ask(self, reference: Any, method: str, *given: Any) -> Any:
        self.asked.append(method)
        return super().ask(reference, method, *given)

    def taken(self) -> list[str]:
        taken, self.asked = self.asked, []
        return taken


class Read(HeldEventStore):
    """Notes which streams are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[Any] = []
        self.full = False

    def append(self, *given: Any, **options: Any) -> Any:
        if self.full:
            raise OSError("disk full")
        return super().append(*given, **options)

    def stream(self, stream_id: Any, **options: Any) -> Iterator[Any]:
        self.read.append(stream_id)
        return super().stream(stream_id, **options)


@pytest.fixture
def actors() -> Iterator[Counting]:
    with Counting() as actors:
        yield actors


def upto(kind: type, stack: Stack, command: Any) -> Any:
    """The run of a command up to a step of that kind."""
    run, step = begin(stack, command), None
    while not isinstance(step, kind):
        step, run = advance(run)
    return run


def test_a_command_asks_its_actor_once(actors: Counting) -> None:
    stack = one_for_each(Stack(), actors)
    for command, asked in (
        (DepositFunds("1", 10), ["decide"]),
        (DepositFunds("1", 5), ["decide"]),
        (WithdrawFunds("1", 1), ["decide"]),
    ):
        stack = dispatch(stack, command)
        assert actors.taken() == asked
    stack.event_store.append("BankAccount-2", [FundsDeposited("2", 7)])
    dispatch(stack, DepositFunds("2", 1))
    assert actors.taken() == ["read", "decide"], "one more where it is told its stream"
    assert (stack.aggregates["BankAccount-1"].balance, actors.taken()) == (14, []), "what was told is known"


def given_up(stack: Stack) -> Any:
    """A decision that nobody goes on with, though it is kept, as a trace keeps it."""
    return stack, upto(Executed, stack, DepositFunds("1", 100))


def overtaken(stack: Stack) -> Any:
    """A decision that meets a conflict."""
    run = upto(Executed, stack, DepositFunds("1", 100))
    stack = dispatch(stack, DepositFunds("1", 7))
    finish(run)
    return stack, run


def not_written(stack: Stack) -> Any:
    """A decision whose append breaks."""
    run = upto(Executed, stack, DepositFunds("1", 100))
    stack.event_store.full = True
    with pytest.raises(OSError, match="disk full"):
        advance(run)
    stack.event_store.full = False
    return stack, run


@pytest.mark.parametrize(
    ("before", "loads"),
    [
        (lambda stack: (stack, None), 0),
        (given_up, 1),  # for once it is not clear which of two decisions was recorded
        (overtaken, 0),
        (not_written, 0),
    ],
)
def test_what_is_recorded_is_told_to_its_actor_and_not_looked_up(
    actors: Counting, before: Callable[[Stack], Any], loads: int
) -> None:
    stack, kept = before(dispatch(one_for_each(Stack(event_store=Read()), actors), DepositFunds("1", 10)))
    balance = in_actors(stack)["BankAccount-1"].balance
    stack.event_store.read.clear()
    for _ in range(3):
        stack = dispatch(stack, DepositFunds("1", 5))
    assert in_actors(stack)["BankAccount-1"].balance == balance + 15
    looks_of_the_kernel = 3  # at what it has recorded
    assert len(stack.event_store.read) == looks_of_the_kernel + loads
    del kept


def test_a_refusal_of_a_new_aggregate_leaves_no_actor(actors: Counting) -> None:
    stack = one_for_each(Stack(), actors)
    with pytest.raises(Rejected):
        dispatch(stack, WithdrawFunds("1", 5))
    assert len(actors) == 0


def test_events_that_are_of_no_interest_reach_no_instance(actors: Counting) -> None:
    stack = one_for_each(Stack(process_manager_types=[Transfer]), actors)
    dispatch(stack, DepositFunds("1", 10))
    assert actors.taken() == ["decide"]


@pytest.mark.parametrize("shape", [one_for_all, one_for_each])
def test_one_look_at_the_history_restores_all_instances_that_were_lost(
    shape: Callable[[Stack, Any], Stack], actors: Counting
) -> None:
    stack = shape(Stack(event_store=Read(), process_manager_types=[Transfer]), actors)
    stack = dispatch(stack, DepositFunds("a", 100))
    for name in ("s", "t", "u"):
        run = upto(Started, stack, RequestTransfer(name, "a", "b", 10))
        stack = run.stack
    instances = stack.process_managers.shared
    before = {name: instances.read(name) for name in instances}
    for reference in list(actors._started.values()):
        reference.stop()
    stack.event_store.read.clear()
    assert {name: instances.read(name) for name in instances} == before
    assert len(before) == 3
    assert stack.event_store.read == [ALL]
