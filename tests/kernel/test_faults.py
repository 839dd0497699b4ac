"""Faults: each is carried out where it fits, as a step, and what comes of it follows as in any run."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from calamity_lab.errors import CalamityError, IdleRun, InvalidValue, ModelError, OutOfRange
from calamity_lab.examples.bank import (
    BankAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    RenameAccount,
    RequestTransfer,
    Transfer,
    TransferInitiated,
    WithdrawFunds,
)
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.faults import (
    ClockJump,
    ConcurrentWriter,
    Crash,
    Fault,
    Lose,
    Redeliver,
    arm,
    armed_fault,
    disarm,
)
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import Run, advance, begin, choices
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Conflicted, Injected, Step
from calamity_lab.stores.overlay import OverlayEventStore
from calamity_lab.stores.sql import SQLEventStore

EVENTS = (FundsDeposited, FundsWithdrawn, TransferInitiated)


def stack_of(**parts: Any) -> Stack:
    parts = {"ids": seeded_ids(7), "clock": ticking_clock(), **parts}
    return Stack(process_manager_types=(Transfer,), **parts)


def transfer(*faults: Fault, more: tuple[Any, ...] = ()) -> Run:
    """A transfer of 60 out of 100, which is about to begin."""
    run, _ = to_end(begin(stack_of(), CreateAccount("a"), CreateAccount("b"), DepositFunds("a", 100)))
    run = run.submit(RequestTransfer("t", "a", "b", 60), *more)
    for fault in faults:
        run = arm(run, fault)
    return run


def to_end(run: Run) -> tuple[Run, list[Step]]:
    steps = []
    while not run.idle:
        step, run = advance(run)
        steps.append(step)
    return run, steps


def balances(run: Run) -> tuple[int, int]:
    return tuple(run.stack.aggregates[f"BankAccount-{name}"].balance for name in "ab")  # type: ignore[return-value]


def kinds(steps: list[Step]) -> list[str]:
    return [f"{step.kind} {step.pending.command_type}" if step.begins else step.kind for step in steps]


def injected(steps: list[Step]) -> Injected:
    (found,) = [step for step in steps if isinstance(step, Injected)]
    return found


def test_another_writer_comes_between_the_decision_and_its_append_and_the_command_is_decided_again() -> None:
    run, steps = to_end(transfer(ConcurrentWriter("BankAccount-a", FundsWithdrawn("a", 30))))
    step = injected(steps)
    n = steps.index(step)
    assert [each.kind for each in steps[n - 1 : n + 5]] == [
        "Executed",
        "Injected",
        "Conflicted",
        "Populated",
        "Executed",
        "Appended",
    ]
    conflict = steps[n + 1]
    assert isinstance(conflict, Conflicted)
    assert (conflict.expected, conflict.actual) == (2, 3)
    (written,) = step.recorded
    assert (written.event, written.causation_id, written.metadata) == (
        FundsWithdrawn("a", 30),
        step.fault_id,
        {"fault": "ConcurrentWriter"},
    )
    assert balances(run) == (10, 60)


def test_the_other_writer_may_make_the_command_wrong() -> None:
    run, steps = to_end(transfer(ConcurrentWriter("BankAccount-a", FundsWithdrawn("a", 90))))
    assert [step.reason for step in steps if step.rejected] == ["insufficient funds"]
    assert balances(run) == (10, 0)


def test_an_event_is_handed_on_again_and_its_process_manager_sends_its_command_again() -> None:
    run, steps = to_end(transfer(Redeliver(FundsWithdrawn)))
    begin_ = next(n for n, step in enumerate(steps) if step.is_injected)
    assert kinds(steps[begin_ : begin_ + 3]) == ["Injected Redeliver", "Continued", "Completed"]
    sent = [pending for step in steps for pending in step.commands if pending.command_type == "DepositFunds"]
    assert len({pending.command_id for pending in sent}) == 2
    assert balances(run) == (40, 120)


def test_an_event_of_the_past_is_handed_on_again_also_where_nothing_else_is_to_be_done() -> None:
    run, _ = to_end(transfer())
    assert run.idle
    (withdrawn,) = [each for each in run.stack.event_store.stream(ALL) if type(each.event) is FundsWithdrawn]
    run = arm(run, Redeliver(withdrawn))
    assert not run.idle
    run, steps = to_end(run)
    assert kinds(steps) == ["Injected Redeliver", "Ignored", "Completed"]
    assert balances(run) == (40, 60)


def test_a_started_process_manager_is_started_again_by_its_first_event() -> None:
    run, _ = to_end(transfer())
    (first,) = [each for each in run.stack.event_store.stream(ALL) if type(each.event) is TransferInitiated]
    run, steps = to_end(arm(run, Redeliver(first)))
    assert "Started" in kinds(steps)
    assert balances(run) == (40, 60)  # the second withdrawal is rejected: 40 are left


@pytest.mark.parametrize("command", [DepositFunds, DepositFunds("b", 60, "t")])
def test_a_command_of_a_process_manager_is_lost_and_the_instance_waits_in_vain(command: Any) -> None:
    run, steps = to_end(transfer(Lose(command)))
    step = injected(steps)
    assert [each.command for each in step.lost] == [DepositFunds("b", 60, "t")]
    assert step.stream_id == "Transfer-t"
    assert balances(run) == (40, 0)
    assert run.stack.process_managers["Transfer-t"].stage == "funds withdrawn"


def test_a_pending_command_is_lost_and_no_submitted_one() -> None:
    run = transfer(more=(DepositFunds("b", 1),))
    while not any(each.sender for each in run.agenda.pending):
        _, run = advance(run)
    run = arm(run, Lose(run.agenda.pending[0]))
    run, _ = to_end(run)
    assert balances(run) == (100, 1)
    with pytest.raises(InvalidValue, match="was submitted, not sent by a process manager"):
        Lose(transfer().agenda.pending[0])
    run, steps = to_end(transfer(Lose(DepositFunds), more=(DepositFunds("b", 1),)))
    assert [each.command for each in injected(steps).lost] == [DepositFunds("b", 60, "t")]


def test_a_crash_costs_what_was_only_in_memory_and_recovery_carries_on_with_the_rest() -> None:
    run = transfer(more=(RenameAccount("b", "B"), DepositFunds("b", 1)))
    while type(run.progress).__name__ != "Appended":
        _, run = advance(run)
    run, steps = to_end(arm(run, Crash()))
    step = injected(steps)
    assert (steps[0], [each.command_type for each in step.lost]) == (step, ["RenameAccount", "DepositFunds"])
    assert balances(run) == (40, 60)
    assert run.stack.aggregates["BankAccount-b"].name is None


@pytest.mark.parametrize("hours", [24, -24])
def test_the_clock_jumps_ahead_or_back(hours: int) -> None:
    jump = timedelta(hours=hours)
    plain, _ = to_end(transfer())
    run, steps = to_end(transfer(ClockJump(jump)))
    assert kinds(steps)[:3] == ["Injected ClockJump", "Completed", "Dispatched RequestTransfer"]
    times = [
        [each.recorded_at for each in other.stack.event_store.stream(ALL, start_version=4)]
        for other in (run, plain)
    ]
    assert [one - other for one, other in zip(*times, strict=True)] == [jump] * 3


def test_a_clock_that_is_a_function_jumps_too_and_two_jumps_add_up() -> None:
    run = begin(stack_of(clock=lambda: ticking_clock().now), DepositFunds("a", 1))
    run = arm(arm(run, ClockJump(timedelta(hours=2))), ClockJump(timedelta(hours=1)))
    run, _ = to_end(run)
    (event,) = run.stack.event_store.stream(ALL)
    assert event.recorded_at - ticking_clock().now == timedelta(hours=3)


def test_a_fault_that_never_fits_stays_armed_and_can_be_taken_back() -> None:
    run, steps = to_end(transfer(ConcurrentWriter("BankAccount-c", FundsWithdrawn("c", 1))))
    assert not any(step.is_injected for step in steps)
    assert [armed.fault.waits_for for armed in run.faults] == [
        "the next events that are decided for BankAccount-c"
    ]
    with pytest.raises(IdleRun) as caught:
        advance(run)
    assert caught.value.run.faults == run.faults
    assert disarm(run, run.faults[0].fault_id).faults == ()
    with pytest.raises(OutOfRange, match="is not armed"):
        disarm(run, "nowhere")
    with pytest.raises(OutOfRange, match="armed are the faults 0 to 0"):
        armed_fault(run, 1)
    assert armed_fault(run, 0) is armed_fault(run, run.faults[0].fault_id) is run.faults[0]


def test_armed_faults_are_choices_and_a_choice_puts_one_in_front() -> None:
    run = transfer(Crash(), ClockJump(timedelta(1)))
    commands = [choice.command for choice in choices(run)]
    assert commands == [RequestTransfer("t", "a", "b", 60), Crash(), ClockJump(timedelta(1))]
    again = choices(run)[2].take(run)
    assert [armed.fault for armed in again.faults] == [ClockJump(timedelta(1)), Crash()]


def test_an_error_of_the_model_keeps_the_armed_faults() -> None:
    class Broken(BankAccount):
        def execute(self, command: Any) -> Any:
            raise ZeroDivisionError

    class Break:
        def aggregate(self) -> tuple[type, str]:
            return Broken, "1"

    run = arm(begin(stack_of(), Break()), Crash())
    with pytest.raises(ModelError) as caught:
        to_end(run)
    assert caught.value.run.faults == run.faults


def test_a_run_with_faults_is_a_value() -> None:
    run = transfer(Redeliver(FundsWithdrawn), Lose(DepositFunds), ClockJump(timedelta(1)))
    first, again = to_end(run), to_end(deepcopy(run))
    assert list(first[0].stack.event_store) == list(again[0].stack.event_store)
    assert [step.kind for step in first[1]] == [step.kind for step in again[1]]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ConcurrentWriter("BankAccount-a"), "needs an event"),
        (lambda: ConcurrentWriter(5, FundsWithdrawn("a", 1)), "needs the id of a stream"),  # type: ignore[arg-type]
        (lambda: ConcurrentWriter("BankAccount-a", FundsWithdrawn), "an event, as in"),
        (lambda: ConcurrentWriter("BankAccount-a", [FundsWithdrawn("a", 1)]), "an event, as in"),
        (lambda: Redeliver("FundsWithdrawn"), "a recorded event, as in lab.events"),
        (lambda: Redeliver(FundsWithdrawn("a", 1)), "a recorded event, as in lab.events"),
        (lambda: Lose(5), "a command or its class"),
        (lambda: Lose(FundsWithdrawn), "a command or its class"),
        (lambda: ClockJump(5), "ClockJump(timedelta(hours=1))"),  # type: ignore[arg-type]
        (lambda: ClockJump(timedelta(0)), "changes nothing"),
        (lambda: arm(transfer(), Crash), "lab.inject(Crash())"),  # type: ignore[arg-type]
        (lambda: arm(transfer(), ClockJump(timedelta.max)), "leave the years 1 to 9999"),
        (lambda: transfer(*[ClockJump(timedelta(days=365 * 5_000))] * 2), "leave the years 1 to 9999"),
    ],
)
def test_what_is_no_fault_is_told(make: Any, said: str) -> None:
    with pytest.raises(CalamityError) as caught:
        make()
    assert said in str(caught.value)


def test_a_stream_may_be_named_by_its_identity() -> None:
    fault = ConcurrentWriter(Identity(BankAccount, "a"), FundsWithdrawn("a", 1))
    assert fault == ConcurrentWriter("BankAccount-a", FundsWithdrawn("a", 1))


def test_over_a_store_that_outlives_the_run_only_what_can_happen_is_armed(tmp_path: Path) -> None:
    with SQLEventStore(f"sqlite:///{tmp_path}/bank.db", EVENTS) as store:
        run = begin(stack_of(event_store=store), DepositFunds("a", 100))
        for fault, why in (
            (Crash(), "only a process that really ends"),
            (Lose(DepositFunds), "it keeps each command"),
            (Redeliver(FundsWithdrawn), "none is handed on twice"),
        ):
            with pytest.raises(InvalidValue, match=why):
                arm(run, fault)
        run = arm(
            arm(run, ClockJump(timedelta(1))), ConcurrentWriter("BankAccount-a", FundsDeposited("a", 1))
        )
        run, steps = to_end(run)
        assert [step.kind for step in steps if step.is_injected or step.kind == "Conflicted"] == [
            "Injected",
            "Injected",
            "Conflicted",
        ]
        assert run.stack.aggregates["BankAccount-a"].balance == 101
        assert [each.metadata.get("fault") for each in store.stream(ALL)] == ["ConcurrentWriter", None]


def test_over_an_overlay_commands_are_lost_and_a_crash_is_recovered_from(tmp_path: Path) -> None:
    with SQLEventStore(f"sqlite:///{tmp_path}/bank.db", EVENTS) as store:
        run = begin(stack_of(event_store=OverlayEventStore(store)), DepositFunds("a", 100))
        run, _ = to_end(run)
        start = run.submit(RequestTransfer("t", "a", "b", 60))
        assert balances(to_end(arm(start.submit(DepositFunds("b", 0)), Crash()))[0]) == (40, 60)
        lost, _ = to_end(arm(start, Lose(WithdrawFunds)))
        assert lost.stack.aggregates["BankAccount-a"].balance == 100
        with pytest.raises(InvalidValue, match="none is handed on twice"):
            arm(start, Redeliver(FundsWithdrawn))
        assert list(store.stream(ALL)) == []
