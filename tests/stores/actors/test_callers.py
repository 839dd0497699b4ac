"""Several callers share the same actors: none sees what was not recorded, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Self

import pytest

from calamity_lab.errors import ImpureModel, ModelError, Rejected
from calamity_lab.examples.bank import (
    BankAccount,
    DepositFunds,
    FundsDeposited,
    RequestTransfer,
    Transfer,
    WithdrawFunds,
)
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import Run, advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended, Conflicted, Executed, Populated, Refused, Started
from calamity_lab.stores.actors.placement import HeldEventStore, one_for_all, one_for_each
from calamity_lab.stores.actors.threads import ThreadActors
from calamity_lab.trace.stepper import Stepper
from tests.kernel.running import finish, kinds, only, stack_of, steps_of
from tests.stores.actors.bank_at_work import demand_order, in_actors, move_money

Shape = Callable[[Stack, Any], Stack]


@pytest.fixture(params=[one_for_all, one_for_each])
def shape(request: pytest.FixtureRequest) -> Shape:
    found: Shape = request.param
    return found


@pytest.fixture
def actors() -> Iterator[ThreadActors]:
    with ThreadActors() as actors:
        yield actors


def upto(kind: type, run: Run) -> tuple[Any, Run]:
    """The first step of that kind, and the run then."""
    while True:
        step, run = advance(run)
        if isinstance(step, kind):
            return step, run


def test_callers_who_race_lose_no_money_and_no_transfer(shape: Shape, actors: ThreadActors) -> None:
    accounts = ("a", "b", "c")
    stack = shape(Stack(process_manager_types=[Transfer], conflict_limit=100), actors)
    for account in accounts:
        stack = dispatch(stack, DepositFunds(account, 1000))
    move_money([stack] * 4, accounts, 25)
    demand_order(stack, 3000)
    assert len(actors) == (2 if shape is one_for_all else 3)


def test_what_is_decided_is_in_no_actor_before_it_is_recorded(shape: Shape, actors: ThreadActors) -> None:
    stack = dispatch(shape(stack_of(), actors), DepositFunds("1", 10))
    step, run = upto(Executed, begin(stack, DepositFunds("1", 5)))
    assert step.states == (BankAccount("1", 15, status="unopened"),)
    assert stack.aggregates["BankAccount-1"].balance == in_actors(stack)["BankAccount-1"].balance == 10
    _, run = upto(Appended, run)
    assert run.stack.aggregates["BankAccount-1"].balance == in_actors(stack)["BankAccount-1"].balance == 15


def test_a_conflict_leaves_no_actor_with_an_event_that_was_not_recorded(
    shape: Shape, actors: ThreadActors
) -> None:
    stack = dispatch(shape(stack_of(), actors), DepositFunds("1", 10))
    _, loser = upto(Executed, begin(stack, DepositFunds("1", 100)))
    dispatch(stack, DepositFunds("1", 7))
    step, loser = advance(loser)
    assert isinstance(step, Conflicted)
    assert (step.expected, step.actual) == (1, 2)
    assert in_actors(stack)["BankAccount-1"].balance == 17
    steps, loser = finish(loser)
    assert kinds(steps) == ["Populated", "Executed", "Appended", "Completed"]
    assert in_actors(stack)["BankAccount-1"].balance == 117
    assert stack.aggregate_versions["BankAccount-1"] == 3


def test_a_decision_that_was_given_up_is_built_on_by_nobody(shape: Shape, actors: ThreadActors) -> None:
    stack = dispatch(shape(stack_of(), actors), DepositFunds("1", 10))
    upto(Executed, begin(stack, DepositFunds("1", 100)))
    steps, after = steps_of(stack, DepositFunds("1", 5))
    assert kinds(steps) == ["Dispatched", "Executed", "Appended", "Completed"]
    assert after.aggregates["BankAccount-1"].balance == in_actors(stack)["BankAccount-1"].balance == 15


def test_a_run_that_another_thread_goes_on_with_is_not_taken_for_what_that_thread_decided(
    shape: Shape, actors: ThreadActors
) -> None:
    stack = dispatch(shape(stack_of(), actors), DepositFunds("1", 10))
    _, run = upto(Executed, begin(stack, DepositFunds("1", 5)))

    def go_on_with_another_on_hand() -> None:
        given_up = upto(Executed, begin(stack, DepositFunds("1", 100)))
        finish(run)
        assert given_up

    with ThreadPoolExecutor(1) as threads:
        threads.submit(go_on_with_another_on_hand).result()
    assert in_actors(stack)["BankAccount-1"].balance == 15
    assert stack.aggregate_versions["BankAccount-1"] == 2


def test_a_decision_whose_append_breaks_is_in_no_actor(shape: Shape, actors: ThreadActors) -> None:
    class Full(HeldEventStore):
        def append(self, *given: Any, **options: Any) -> Any:
            raise OSError("disk full")

    events = Full(HeldEventStore().append("BankAccount-1", [FundsDeposited("1", 10)]))
    stack = shape(stack_of(event_store=events), actors)
    with pytest.raises(OSError, match="disk full"):
        dispatch(stack, DepositFunds("1", 100))
    assert in_actors(stack)["BankAccount-1"].balance == stack.aggregates["BankAccount-1"].balance == 10


def test_a_refusal_is_final_only_on_what_is_recorded_by_then(shape: Shape, actors: ThreadActors) -> None:
    stack = dispatch(shape(stack_of(), actors), DepositFunds("1", 10))
    stack.event_store.append("BankAccount-1", [FundsDeposited("1", 90)])
    steps, after = steps_of(stack, WithdrawFunds("1", 100))
    assert kinds(steps) == ["Dispatched", "Populated", "Executed", "Appended", "Completed"]
    assert after.aggregates["BankAccount-1"].balance == 0
    steps, after = steps_of(after, WithdrawFunds("1", 1))
    assert only(Refused, steps).rejected.details == {"balance": 0}


def test_a_refusal_stands_on_the_version_that_was_decided_on(shape: Shape, actors: ThreadActors) -> None:
    stack = dispatch(shape(stack_of(), actors), DepositFunds("1", 10))
    with pytest.raises(Rejected):
        stack.aggregates.dispatch(WithdrawFunds("1", 50))
    version = stack.aggregate_versions.get("BankAccount-1")
    stack.aggregates.shared.catch_up(
        stack.aggregates.shared.known("BankAccount-1").identity, 1, (FundsDeposited("1", 90),)
    )
    assert (version, stack.aggregates.get("BankAccount-1").balance) == (1, 10), "as it was when it refused"
    assert stack.aggregates.get("BankAccount-1").balance == 100, "and now as it is"


def test_what_two_callers_populate_is_applied_once(shape: Shape, actors: ThreadActors) -> None:
    history = {"BankAccount-1": [FundsDeposited("1", 10), FundsDeposited("1", 5)]}
    stack = shape(stack_of(event_store=history), actors)
    one, other = begin(stack, DepositFunds("1", 1)), begin(stack, DepositFunds("1", 2))
    for _ in range(2):  # both find the aggregate unknown, and read its stream
        one_step, one = advance(one)
        other_step, other = advance(other)
    assert only(Populated, [one_step]).count == 2
    assert other_step.kind in {"Populated", "Executed"}
    finish(one)
    assert in_actors(stack)["BankAccount-1"].balance == 16
    finish(other)
    assert in_actors(stack)["BankAccount-1"].balance == 18


def test_an_event_that_another_caller_has_handed_on_first_is_answered_with_the_same_commands(
    shape: Shape, actors: ThreadActors
) -> None:
    stack = dispatch(shape(Stack(process_manager_types=[Transfer]), actors), DepositFunds("a", 100))
    _, slow = upto(Appended, begin(stack, RequestTransfer("slow", "a", "b", 10)))
    quick = dispatch(stack, RequestTransfer("quick", "a", "c", 20))  # catches up with the other's event
    assert set(quick.process_managers) == {"Transfer-slow"}
    step, slow = upto(Started, slow)
    assert (step.before, step.after) == (None, quick.process_managers["Transfer-slow"])
    assert [pending.command for pending in step.commands] == [WithdrawFunds("a", 10, "slow")]
    finish(slow)
    demand_order(stack, 100)


def test_a_caller_who_begins_anew_hands_nothing_on_twice(shape: Shape, actors: ThreadActors) -> None:
    fresh = shape(Stack(process_manager_types=[Transfer]), actors)
    stack = dispatch(fresh, DepositFunds("a", 100))
    _, open_ = upto(Started, begin(stack, RequestTransfer("open", "a", "b", 10)))
    before = dict(open_.stack.process_managers), dict(open_.stack.process_manager_versions)
    dispatch(fresh, RequestTransfer("closed", "a", "b", 10))  # its marks are those of the beginning
    after = dict(open_.stack.process_managers), dict(open_.stack.process_manager_versions)
    assert after == (before[0], {**before[1], "Transfer-closed": 3})
    finish(open_)
    demand_order(stack, 100)


def test_a_state_that_was_given_and_not_told_by_events_goes_into_an_actor(
    shape: Shape, actors: ThreadActors
) -> None:
    given = stack_of(
        Transfer,
        aggregates={"BankAccount-1": BankAccount("1", 50)},
        process_managers={"Transfer-t": Transfer("t", "1", "2", 5, "initiated")},
    )
    stack = shape(given, actors)
    assert dict(stack.aggregates) == dict(given.aggregates)
    assert dict(stack.process_managers) == dict(given.process_managers)
    after = dispatch(stack, WithdrawFunds("1", 5, "t"))
    assert {name: account.balance for name, account in after.aggregates.items()} == {
        "BankAccount-1": 45,
        "BankAccount-2": 5,
    }
    assert dict(after.process_managers) == {}


@dataclass(frozen=True)
class Divide:
    by: int

    def aggregate(self) -> tuple[type, str]:
        return Number, "1"


@dataclass(frozen=True)
class Divided:
    by: int


@dataclass(frozen=True)
class Number:
    value: float = 1.0

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def execute(self, command: Divide) -> Divided:
        if command.by < 0:
            raise Rejected("not by less than nought", by=command.by, value=self.value)
        return Divided(command.by)

    def apply(self, event: Divided) -> Self:
        return replace(self, value=self.value / event.by)


def test_what_the_model_raises_in_an_actor_reaches_the_caller_as_it_is(
    shape: Shape, actors: ThreadActors
) -> None:
    stack = dispatch(shape(stack_of(), actors), Divide(2))
    count = len(actors)
    with pytest.raises(Rejected) as refused:
        dispatch(stack, Divide(-1))
    assert refused.value == _refusal()
    with pytest.raises(ModelError, match=r"Number.apply raised ZeroDivisionError") as broken:
        dispatch(stack, Divide(0))
    assert isinstance(broken.value.__cause__, ZeroDivisionError)
    assert dispatch(stack, Divide(2)).aggregates["Number-1"] == Number(0.25)
    assert len(actors) == count, "no actor died of it"
    assert len(list(stack.event_store.stream(ALL))) == 2


def _refusal() -> Rejected:
    rejected = Rejected("not by less than nought", by=-1, value=0.5)
    rejected.command = Divide(-1)
    return rejected


@dataclass(frozen=True)
class _Seen:
    total: int


@dataclass(frozen=True)
class _Look:
    def aggregate(self) -> tuple[type, str]:
        return _Impure, "1"


@dataclass
class _Impure:
    """An aggregate that changes itself while it decides."""

    total: int = 0

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def execute(self, command: _Look) -> _Seen:
        self.total += 1
        return _Seen(self.total)

    def apply(self, event: _Seen) -> Self:
        return self


def test_a_stepper_watches_the_callbacks_that_an_actor_asks(shape: Shape, actors: ThreadActors) -> None:
    stepper = Stepper(shape(Stack(), actors))
    stepper.submit(_Look())
    with pytest.raises(ImpureModel, match=r"changed self\.total in place"):
        stepper.resume()
