"""What each kind of step tells."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from calamity_lab.errors import IdleRun, Rejected
from calamity_lab.kernel import steps as kinds_of_step
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import (
    Appended,
    CaughtUp,
    Completed,
    Conflicted,
    Continued,
    Dispatched,
    Executed,
    Ignored,
    Populated,
    Refused,
    Started,
    Step,
    Stopped,
)
from tests.kernel.elixir import (
    REQUEST,
    BankAccount,
    DepositFunds,
    FundsDeposited,
    Transfer,
    WithdrawFunds,
    two_accounts,
)
from tests.kernel.running import only, stack_of, steps_of

ACCOUNT = Identity(BankAccount, "1")


def test_dispatched_tells_the_command_and_its_aggregate() -> None:
    steps, _ = steps_of(stack_of(), DepositFunds("1", 5))
    step = only(Dispatched, steps)
    assert (step.index, step.command, step.identity) == (1, DepositFunds("1", 5), ACCOUNT)


def test_populated_tells_how_many_events_the_aggregate_was_caught_up_with() -> None:
    history = {"BankAccount-1": [FundsDeposited("1", 3), FundsDeposited("1", 4)]}
    steps, stack = steps_of(stack_of(event_store=history), DepositFunds("1", 5))
    assert only(Populated, steps).count == 2
    assert stack.aggregate_versions == {"BankAccount-1": 3}


def test_executed_tells_the_events_and_the_state_before_and_after_each() -> None:
    step = only(Executed, steps_of(stack_of(aggregates=two_accounts()), DepositFunds("1", 5))[0])
    assert step.events == (FundsDeposited("1", 5),)
    assert step.before.balance == 100
    assert [state.balance for state in step.states] == [105]


def test_refused_tells_the_reason_the_details_and_the_command() -> None:
    step = only(Refused, steps_of(stack_of(), WithdrawFunds("1", 5))[0])
    assert (step.reason, step.rejected.details) == ("insufficient funds", {"balance": 0})
    assert step.rejected.command == WithdrawFunds("1", 5)


def test_appended_tells_positions_and_versions() -> None:
    history = {"BankAccount-2": [FundsDeposited("2", 1)], "BankAccount-1": [FundsDeposited("1", 1)]}
    step = only(Appended, steps_of(stack_of(event_store=history), DepositFunds("1", 5))[0])
    assert (step.positions, step.versions) == ((3,), (2,))


def test_conflicted_tells_the_expected_and_the_actual_version() -> None:
    stack = stack_of(aggregates={"BankAccount-1": BankAccount("1")}, aggregate_versions={"BankAccount-1": 2})
    store = stack.event_store.append("BankAccount-1", [FundsDeposited("1", n) for n in (1, 2, 3)])
    steps, _ = steps_of(dataclasses.replace(stack, event_store=store), DepositFunds("1", 5))
    step = only(Conflicted, steps)
    assert (step.expected, step.actual, step.attempt) == (2, 3, 1)


def test_started_continued_and_stopped_tell_the_event_the_states_and_the_commands() -> None:
    steps, _ = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    started, continued, stopped = (only(kind, steps) for kind in (Started, Continued, Stopped))
    assert {step.identity for step in (started, continued, stopped)} == {Identity(Transfer, "t")}
    assert [step.trigger.event_type for step in (started, continued, stopped)] == [
        "TransferInitiated",
        "FundsWithdrawn",
        "FundsDeposited",
    ]
    assert started.before is None
    assert started.after == continued.before
    assert stopped.after is None


def test_ignored_tells_which_instance_was_not_there() -> None:
    steps, stack = steps_of(stack_of(Transfer), DepositFunds("1", 5, "nobody"))
    step = only(Ignored, steps)
    assert (step.identity, step.before, step.after, step.commands) == (
        Identity(Transfer, "nobody"),
        None,
        None,
        (),
    )
    assert (stack.process_managers, stack.process_manager_versions) == ({}, {})


def test_completed_comes_last_and_the_run_is_idle_then() -> None:
    steps, _ = steps_of(stack_of(), DepositFunds("1", 5))
    assert isinstance(steps[-1], Completed)


def test_a_step_tells_the_command_its_depth_and_the_event_that_caused_it() -> None:
    steps, stack = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    first, last = steps[0], steps[-1]
    recorded = list(stack.event_store)
    assert (first.depth, first.cause) == (0, None)
    assert (last.depth, last.cause) == (2, recorded[1])


def test_a_step_cannot_be_changed() -> None:
    step = steps_of(stack_of(), DepositFunds("1", 5))[0][0]
    with pytest.raises(AttributeError, match="immutable type: 'Dispatched'"):
        step.index = 5  # type: ignore[misc]


def test_steps_are_equal_when_kind_and_fields_are() -> None:
    first, second = (steps_of(stack_of(), DepositFunds("1", 5))[0] for _ in range(2))
    assert first == second
    step: Any = first[-1]
    assert kinds_of_step.Completed(step.index, step.pending) == step
    assert kinds_of_step.Step(step.index, step.pending) != step


def test_advancing_an_idle_run_says_what_would_help_and_carries_the_run() -> None:
    run = begin(Stack())
    with pytest.raises(IdleRun, match="begin\\(stack, command\\)") as caught:
        advance(run)
    assert caught.value.run is run


def test_a_refusal_that_is_raised_again_and_again_as_one_object_keeps_each_command() -> None:
    shared = Rejected("closed")

    class Shop:
        @classmethod
        def new(cls, id_: str) -> Shop:
            return cls()

        def execute(self, command: Any) -> Any:
            raise shared

        def apply(self, event: Any) -> Shop:
            return self

    class Buy:
        def aggregate(self) -> tuple[type, str]:
            return Shop, "1"

    one, two = Buy(), Buy()
    refusals = [step for step in steps_of(stack_of(), one, two)[0] if isinstance(step, Refused)]
    assert [step.rejected.command for step in refusals] == [one, two]


def test_every_kind_of_step_says_its_tone_and_its_verb() -> None:
    kinds = [getattr(kinds_of_step, name) for name in dir(kinds_of_step)]
    kinds = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Step)]
    leaves = {kind for kind in kinds if not kind.__subclasses__()}
    assert {kind.__name__: (kind.tone, kind.verb) for kind in leaves} == {
        "Dispatched": ("neutral", "dispatched"),
        "Populated": ("neutral", "caught up"),
        "Executed": ("accepted", "accepted"),
        "Refused": ("rejected", "rejected"),
        "Appended": ("accepted", "recorded"),
        "Conflicted": ("conflict", "tried again"),
        "CaughtUp": ("neutral", "caught up"),
        "Started": ("reaction", "started"),
        "Continued": ("reaction", "continued"),
        "Stopped": ("reaction", "stopped"),
        "Ignored": ("neutral", "ignored"),
        "Answered": ("reaction", "answered"),
        "Settled": ("conflict", "settled before"),
        "Failed": ("rejected", "failed"),
        "Completed": ("neutral", "completed"),
        "Injected": ("injected", "injected"),
        "Elapsed": ("time", "time passed"),
    }


def test_a_step_answers_every_question_that_a_view_asks_of_any_step() -> None:
    steps, stack = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    first, decided, appended, started, completed = steps[:5]
    assert [step.kind for step in steps[:5]] == ["Dispatched", "Executed", "Appended", "Started", "Completed"]
    assert [(step.begins, step.decides, step.ends) for step in steps[:5]] == [
        (True, False, False),
        (False, True, False),
        (False, False, False),
        (False, False, False),
        (False, False, True),
    ]
    assert [step.stream_id for step in steps[:5]] == ["BankAccount-1"] * 3 + ["Transfer-t", None]
    assert [step.at_process_manager for step in steps[:5]] == [False, False, False, True, False]
    assert [step.event_types for step in steps[:5]] == [(), *[("TransferInitiated",)] * 3, ()]
    assert appended.recorded == (next(iter(stack.event_store)),)
    assert appended.positions == (1,)
    assert [len(step.commands) for step in (first, decided, appended, started, completed)] == [0, 0, 0, 1, 0]
    assert started.trigger is appended.recorded[0]
    assert (decided.before, decided.after) == (decided.before, decided.states[-1])
    assert {step.rejected for step in steps} == {None}


def test_a_rejection_is_on_its_step_and_on_no_other() -> None:
    steps, _ = steps_of(stack_of(), WithdrawFunds("1", 5))
    assert [step.reason for step in steps] == [None, None, "insufficient funds", None]


def test_caught_up_tells_the_type_what_its_instances_took_in_and_up_to_where() -> None:
    _, earlier = steps_of(stack_of(Transfer, aggregates=two_accounts()), REQUEST)
    history = {"BankAccount-1": [next(iter(earlier.event_store)).event]}
    steps, _ = steps_of(stack_of(Transfer, event_store=history), DepositFunds("2", 5, "t"))
    step = only(CaughtUp, steps)
    assert (step.identity, step.count, step.position) == (Identity(Transfer, "t"), 1, 1)
    assert step.index + 1 == only(Stopped, steps).index


class Plan(Enum):
    FAMILY = 1


def test_a_rejection_tells_dates_amounts_and_enum_members_as_people_write_them() -> None:
    rejected = Rejected(
        "overdue", due=date(2026, 3, 24), fine=Decimal("3.80"), plan=Plan.FAMILY, reader="ann"
    )
    assert str(rejected) == "overdue (due 2026-03-24, fine 3.80, plan FAMILY, reader 'ann')"
