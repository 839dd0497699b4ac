"""What Calamity leaves open, settled: one test or more for each point of the list, by its number."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import pytest

from calamity_lab.errors import Rejected, TooManyConflicts
from calamity_lab.kernel.messages import Continue, Start, Stop
from calamity_lab.kernel.protocols import ALL, BACKWARDS
from calamity_lab.kernel.run import advance, begin, dispatch
from calamity_lab.kernel.steps import Conflicted, Continued, Ignored, Populated, Refused
from tests.kernel.elixir import (
    REQUEST,
    AccountCreated,
    BankAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    Transfer,
    WithdrawFunds,
    two_accounts,
)
from tests.kernel.outside import OutsideAggregates, OutsideEvents
from tests.kernel.running import events, finish, kinds, only, stack_of, steps_of


def deposited(amount: int, account: str = "1") -> Callable[[OutsideEvents], None]:
    """Another writer, who pays something in."""

    def meanwhile(store: OutsideEvents) -> None:
        store.append(f"BankAccount-{account}", [FundsDeposited(account, amount)])

    return meanwhile


def test_1_a_refusal_appends_nothing_and_changes_nothing() -> None:
    stack = stack_of(Transfer, aggregates=two_accounts())
    steps, after = steps_of(stack, WithdrawFunds("2", 5))
    assert kinds(steps) == ["Dispatched", "Refused", "Completed"]
    assert events(after) == []
    assert after.aggregates == stack.aggregates
    with pytest.raises(Rejected, match="insufficient funds"):
        dispatch(stack, WithdrawFunds("2", 5))


@pytest.mark.parametrize("version", [0, 1, 4])
def test_2_a_version_mismatch_at_any_version_is_caught_up_and_tried_again(version: int) -> None:
    stack = stack_of()
    for _ in range(version):
        stack = dispatch(stack, DepositFunds("1", 10))
    if not version:
        stack = replace(stack, aggregates={"BankAccount-1": BankAccount("1")})
    behind = replace(stack, event_store=stack.event_store.append("BankAccount-1", [FundsDeposited("1", 7)]))
    steps, after = steps_of(behind, DepositFunds("1", 1))
    assert kinds(steps) == [
        *("Dispatched", "Executed", "Conflicted", "Populated", "Executed", "Appended", "Completed"),
    ]
    assert after.aggregates["BankAccount-1"].balance == version * 10 + 8
    assert after.aggregate_versions["BankAccount-1"] == version + 2


def test_2_a_command_that_meets_another_writer_at_every_attempt_is_given_up_at_a_bound() -> None:
    def always(store: OutsideEvents) -> None:
        deposited(1)(store)
        store.meanwhile = always

    aggregates = OutsideAggregates()
    stack = stack_of(aggregates=aggregates, event_store=OutsideEvents(always), conflict_limit=3)
    with pytest.raises(TooManyConflicts, match="conflict_limit") as caught:
        dispatch(stack, DepositFunds("1", 100))
    assert caught.value.attempts == 4
    assert aggregates.get("BankAccount-1") is None


def test_3_a_store_outside_the_value_shows_no_event_that_was_not_recorded() -> None:
    aggregates = OutsideAggregates()
    stack = stack_of(aggregates=aggregates, event_store=OutsideEvents(deposited(7)))
    run, seen = begin(stack, DepositFunds("1", 100)), []
    while not run.idle:
        step, run = advance(run)
        account = aggregates.get("BankAccount-1")
        seen.append((step.kind, account and account.balance))
    assert seen == [
        ("Dispatched", None),
        ("Populated", None),
        ("Executed", 100),
        ("Conflicted", None),
        ("Populated", 7),
        ("Executed", 107),
        ("Appended", 107),
        ("Completed", 107),
    ]


def test_3_an_aggregate_outside_is_forgotten_when_the_append_breaks() -> None:
    def broken(store: OutsideEvents) -> None:
        raise OSError("disk full")

    aggregates = OutsideAggregates()
    stack = stack_of(aggregates=aggregates, event_store=OutsideEvents(broken))
    with pytest.raises(OSError, match="disk full"):
        dispatch(stack, DepositFunds("1", 100))
    assert aggregates.get("BankAccount-1") is None
    assert dispatch(stack, DepositFunds("1", 1)).aggregates.get("BankAccount-1").balance == 1


def test_4_all_is_in_order_of_position_and_direction_and_start_version_hold_for_every_stream() -> None:
    stack = stack_of()
    for account in "baab":
        stack = dispatch(stack, DepositFunds(account, 1))

    def places(stream_id: Any, **options: Any) -> list[int]:
        return [recorded.position for recorded in stack.event_store.stream(stream_id, **options)]

    assert places(ALL) == [1, 2, 3, 4]
    assert places(ALL, start_version=3) == [3, 4]
    assert places(ALL, start_version=3, direction=BACKWARDS) == [4, 3]
    assert places("BankAccount-b", start_version=2) == [4]
    assert places("BankAccount-b", direction=BACKWARDS) == [4, 1]


@dataclass(frozen=True)
class Ring:
    """Rings as often as it is told, and each ring may ring further."""

    names: tuple[str, ...]

    def aggregate(self) -> tuple[type, str]:
        return Bell, "1"


@dataclass(frozen=True)
class Rang:
    name: str


@dataclass(frozen=True)
class Bell:
    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def execute(self, command: Ring) -> list[Rang]:
        return [Rang(name) for name in command.names]

    def apply(self, event: Rang) -> Self:
        return self


@dataclass(frozen=True)
class Echo:
    """Answers each ring whose name is short with two longer ones."""

    id: str

    @classmethod
    def interested(cls, event: Any) -> Start | None:
        return Start("e") if len(event.name) < 2 else None

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def apply(self, event: Rang) -> Self:
        return self

    def handle(self, event: Rang) -> list[Ring]:
        return [Ring((event.name + "1",)), Ring((event.name + "2",))]


def test_5_events_are_handed_on_in_order_and_the_commands_they_cause_come_in_that_order() -> None:
    _, after = steps_of(stack_of(Echo), Ring(("a", "b")))
    assert [event.name for event in events(after)] == ["a", "b", "a1", "a2", "b1", "b2"]


def test_5_what_a_command_causes_comes_before_all_that_was_pending_already() -> None:
    _, after = steps_of(stack_of(Echo), Ring(("a",)), Ring(("z",)))
    assert [event.name for event in events(after)] == ["a", "a1", "a2", "z", "z1", "z2"]


def test_5_the_order_of_the_agenda_may_be_chosen_otherwise() -> None:
    run = begin(stack_of(Echo), Ring(("a",)), Ring(("zz",)), Ring(("yy",))).choose(2)
    assert list(run.agenda) == [Ring(("yy",)), Ring(("a",)), Ring(("zz",))]
    _, run = finish(run.drop(1))
    assert [event.name for event in events(run.stack)] == ["yy", "zz"]


def test_5_a_command_that_was_chosen_goes_before_those_that_are_caused_meanwhile() -> None:
    run = begin(stack_of(Echo), Ring(("a", "b")), Ring(("zz",)))
    for _ in range(4):  # up to the append
        _, run = advance(run)
    _, run = finish(run.choose(0))
    assert [event.name for event in events(run.stack)][2:4] == ["zz", "a1"]


def test_6_an_event_that_no_manager_knows_is_not_of_interest() -> None:
    steps, _ = steps_of(stack_of(Transfer), CreateAccount("1"))
    assert kinds(steps) == ["Dispatched", "Populated", "Executed", "Appended", "Completed"]


def test_8_an_unknown_aggregate_is_populated_before_it_decides() -> None:
    history = {"BankAccount-1": [AccountCreated("1"), FundsDeposited("1", 100)]}
    steps, after = steps_of(stack_of(event_store=history), WithdrawFunds("1", 60))
    assert kinds(steps)[:3] == ["Dispatched", "Populated", "Executed"]
    assert after.aggregates["BankAccount-1"].balance == 40


def test_8_an_unknown_aggregate_is_populated_from_the_beginning_whatever_its_version_says() -> None:
    history = {"BankAccount-1": [FundsDeposited("1", 100), FundsDeposited("1", 1)]}
    stack = stack_of(event_store=history, aggregate_versions={"BankAccount-1": 1})
    _, after = steps_of(stack, DepositFunds("1", 5))
    assert (after.aggregates["BankAccount-1"].balance, after.aggregate_versions["BankAccount-1"]) == (106, 3)


def test_8_a_refusal_decided_on_a_stale_state_is_caught_up_and_decided_again() -> None:
    stack = dispatch(stack_of(), DepositFunds("1", 10))
    stale = replace(stack, event_store=stack.event_store.append("BankAccount-1", [FundsDeposited("1", 90)]))
    steps, after = steps_of(stale, WithdrawFunds("1", 100))
    assert kinds(steps) == ["Dispatched", "Populated", "Executed", "Appended", "Completed"]
    assert after.aggregates["BankAccount-1"].balance == 0


def test_8_a_refusal_on_the_latest_state_is_final_after_catching_up() -> None:
    stack = dispatch(stack_of(), DepositFunds("1", 10))
    stale = replace(stack, event_store=stack.event_store.append("BankAccount-1", [FundsWithdrawn("1", 5)]))
    steps, after = steps_of(stale, WithdrawFunds("1", 50))
    assert only(Refused, steps).rejected.details == {"balance": 5}
    assert only(Populated, steps).count == 1
    assert after.aggregates["BankAccount-1"].balance == 5


@dataclass(frozen=True)
class Greet:
    name: str

    def aggregate(self) -> tuple[type, str]:
        return Greeter, "1"


@dataclass(frozen=True)
class Greeted:
    name: str


@dataclass(frozen=True)
class Greeter:
    """Greets everybody once."""

    known: tuple[str, ...] = ()

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def execute(self, command: Greet) -> Greeted | None:
        return None if command.name in self.known else Greeted(command.name)

    def apply(self, event: Greeted) -> Self:
        return replace(self, known=(*self.known, event.name))


def test_9_a_command_without_events_appends_nothing_makes_no_stream_and_wakes_nobody() -> None:
    woken: list[Any] = []
    stack = dispatch(stack_of(), Greet("Ada"))
    stack = replace(stack, event_store=stack.event_store.subscribe(ALL, woken.append))
    steps, after = steps_of(stack, Greet("Ada"))
    assert kinds(steps) == ["Dispatched", "Executed", "Completed"]
    assert (woken, len(after.event_store)) == ([], 1)
    _, empty = steps_of(stack_of(), Ring(()))
    assert (empty.event_store.stream_ids, empty.aggregates, empty.aggregate_versions) == ((), {}, {})


def test_9_a_decision_without_events_is_final_only_on_the_latest_state() -> None:
    stack = dispatch(stack_of(), Greet("Ada"))
    stale = replace(stack, event_store=stack.event_store.append("Greeter-1", [Greeted("Bob")]))
    steps, after = steps_of(stale, Greet("Ada"))
    assert kinds(steps) == ["Dispatched", "Populated", "Executed", "Completed"]
    assert after.aggregates["Greeter-1"].known == ("Ada", "Bob")


def test_9_a_subscriber_gets_each_recorded_event_once_after_the_append() -> None:
    got: list[Any] = []
    store = stack_of().event_store.subscribe(ALL, got.append).subscribe("Bell-1", got.append)
    _, after = steps_of(stack_of(event_store=store), Ring(("aa", "bb")))
    assert got == list(after.event_store)


def test_10_a_start_for_an_instance_that_runs_already_continues_it() -> None:
    steps, _ = steps_of(stack_of(Echo), Ring(("a", "b")))
    assert [step.kind for step in steps if step.kind in {"Started", "Continued"}] == ["Started", "Continued"]


@dataclass(frozen=True)
class Waiting:
    """Continues with b and stops with c, but nobody starts it."""

    id: str

    @classmethod
    def interested(cls, event: Any) -> Continue | Stop | None:
        verbs: dict[str, Any] = {"b": Continue("w"), "c": Stop("w")}
        return verbs.get(event.name)

    new = classmethod(lambda cls, id_: cls(id_))

    def apply(self, event: Any) -> Self:
        raise AssertionError("an instance that is not there applies nothing")

    handle = apply


def test_10_a_continue_or_a_stop_for_one_that_is_not_there_does_nothing_and_is_a_step() -> None:
    steps, after = steps_of(stack_of(Waiting), Ring(("a", "b", "c")))
    ignored: list[Any] = [step for step in steps if isinstance(step, Ignored)]
    assert [step.trigger.event.name for step in ignored] == ["b", "c"]
    assert after.process_managers == {}


@dataclass(frozen=True)
class Forgiving(Transfer):
    """Pays cash back for a transfer that is refused."""

    def handle_rejection(self, rejected: Rejected) -> DepositFunds:
        return DepositFunds(self.from_, 1, None)


def test_compensation_is_caused_by_the_event_that_the_manager_had_answered() -> None:
    stack = stack_of(Forgiving, aggregates=two_accounts())
    run = begin(stack, REQUEST)
    while run.progress is not None or run.length == 0:
        _, run = advance(run)
    poor = replace(run.stack, aggregates={"BankAccount-1": BankAccount("1")})
    steps, run = finish(replace(run, stack=poor))
    refused, answered = only(Refused, steps), only(Continued, steps)
    (compensation,) = answered.commands
    assert refused.command == WithdrawFunds("1", 100, "t")
    assert compensation.command == DepositFunds("1", 1)
    assert compensation.causation_id == refused.pending.causation_id
    assert compensation.parent == refused.pending
    assert (compensation.depth, compensation.correlation_id) == (2, refused.pending.correlation_id)


def test_a_refused_command_that_nobody_compensates_is_a_warning_and_a_step(caplog: Any) -> None:
    run = begin(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    while run.progress is not None or run.length == 0:
        _, run = advance(run)
    run = replace(run, stack=replace(run.stack, aggregates={"BankAccount-1": BankAccount("1")}))
    with caplog.at_level(logging.WARNING, logger="calamity_lab"):
        steps, run = finish(run)
    assert kinds(steps) == ["Dispatched", "Refused", "Completed"]
    assert "WithdrawFunds was rejected" in caplog.text
    assert "Transfer-t has no handle_rejection" in caplog.text


def test_a_conflict_is_a_step_of_the_command_that_met_it() -> None:
    stack = dispatch(stack_of(), DepositFunds("1", 10))
    store = stack.event_store.append("BankAccount-1", [FundsDeposited("1", 1)])
    steps, _ = steps_of(replace(stack, event_store=store), DepositFunds("1", 2))
    assert only(Conflicted, steps).command == DepositFunds("1", 2)
