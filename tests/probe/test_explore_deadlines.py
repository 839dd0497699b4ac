"""Exploring models with deadlines: time may pass at any moment, or only when nothing else can happen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from calamity_lab import (
    After,
    Cancel,
    Continue,
    Lab,
    Run,
    Stack,
    Start,
    Stop,
    advance,
    begin,
    command,
    explore,
)
from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.clocks_and_ids import TickingClock
from calamity_lab.kernel.run import wait
from tests import holds
from tests.holds import ExtendHold, HoldSeat, SellSeat, theatre
from tests.probe.test_explore import fails_as_found

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Done:
    cell: str
    value: int


@command(to="Counted", by="cell")
@dataclass(frozen=True)
class Do:
    cell: str
    value: int


@dataclass(frozen=True)
class Counted:
    cell: str
    value: int = 0

    @classmethod
    def new(cls, cell: str) -> Counted:
        return cls(cell)

    def execute(self, command: Do) -> Done | None:
        return Done(self.cell, (self.value + command.value) % 3) if command.value else None

    def apply(self, event: Done) -> Counted:
        return replace(self, value=event.value)


def random_model(seed: int) -> Run:
    """A process manager that sets, replaces and cancels deadlines by a table made at random."""
    random = Random(seed)
    answers: dict[tuple[str, int], list[Any]] = {}
    for cell in "ab":
        for value in range(3):
            kinds = random.choices(("after", "cancel", "send", ""), (4, 1, 1, 2), k=random.randint(0, 2))
            answers[cell, value] = [
                {
                    "after": After(
                        timedelta(minutes=random.randint(0, 2)),
                        Do(random.choice("ab"), random.randint(0, 2)),
                        random.choice("xy"),
                    ),
                    "cancel": Cancel(random.choice("xy")),
                    "send": Do(random.choice("ab"), random.randint(0, 1)),
                }[kind]
                for kind in kinds
                if kind
            ]
    stops = random.randint(0, 2)

    class Waits:
        def __init__(self, cell: str) -> None:
            self.cell = cell

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Waits) and other.cell == self.cell

        def __hash__(self) -> int:
            return hash(self.cell)

        @classmethod
        def new(cls, cell: str) -> Waits:
            return cls(cell)

        @classmethod
        def interested(cls, event: Done) -> Any:
            return Stop(event.cell) if event.value == stops else Start(event.cell)

        def apply(self, event: Done) -> Waits:
            return self

        def handle(self, event: Done) -> Any:
            return answers[event.cell, event.value]

    stack = Stack(process_manager_types=(Waits,), cascade_limit=10_000)
    return begin(stack, Do("a", 1), Do("b", random.randint(1, 2)))


def key(run: Run) -> Any:
    """What makes a state, written out."""
    stack = run.stack
    now = stack.clock.now  # type: ignore[union-attr]
    states = {name: state for name, state in stack.aggregates.items() if state != Counted(state.cell)}
    pending = sorted((repr(p.command), str(p.sender), str(p.deadline)) for p in run.agenda.entries())
    off = [(p.due_at - now, repr(p.command), str(p.sender), str(p.deadline)) for p in stack.deadlines]
    return tuple(sorted(states.items())), tuple(sorted(stack.process_managers)), tuple(pending), tuple(off)


def whole(run: Run) -> tuple[Run, bool]:
    """The run after one whole command, and whether it was rejected."""
    is_rejected = False
    while True:
        step, run = advance(run)
        is_rejected = is_rejected or step.rejected is not None
        if step.ends and step.kind != "Elapsed":
            return run, is_rejected


def plainly(run: Run, limit: int, time: str) -> set[Any] | None:
    """The states, found by plain recursion; None where there are more than the limit."""
    stands = TickingClock(START, timedelta(0))
    run = replace(run, stack=replace(run.stack, clock=stands))
    found, waiting = {key(run)}, [run]
    while waiting:
        here = waiting.pop()
        following = [whole(here.choose(n))[0] for n in range(len(here.agenda))]
        first = here.stack.deadlines.first
        if first is not None and (time == "any" or not following):
            following.append(whole(wait(here, first=first.command_id))[0])
        for each in following:
            if key(each) not in found:
                found.add(key(each))
                waiting.append(each)
        if len(found) > limit:
            return None
    return found


@pytest.mark.parametrize("time", ["any", "idle"])
def test_exploring_finds_the_states_that_plain_recursion_finds(time: Any) -> None:
    compared = 0
    for seed in range(100):
        run = random_model(seed)
        expected = plainly(run, 300, time)
        found = explore(run, time=time, limit=301)
        if expected is None:
            assert found.verdict == "undecided"
            continue
        assert found.complete
        assert found.states == len(expected)
        compared += found.states > 3
    assert compared > 20


def seat(run: Stack) -> str:
    found = run.aggregates.get("Seat-A1")
    return "free" if found is None else str(found.status)


def test_time_that_passes_is_a_choice_and_an_endless_chain_is_a_circle() -> None:
    found = explore(theatre(), commands=[HoldSeat("A1"), ExtendHold("A1"), SellSeat("A1")])
    assert found.complete
    assert found.verdict == "holds"
    assert found.coverage.deadlines == ()
    assert "ExpireHold" not in found.coverage.commands
    assert not found.stuck
    labels = {way.label for state in range(found.states) for way, _ in found._explorer.ways_out(state)}
    assert "time passes, then RemindGuest(seat_id='A1')" in labels


def test_an_instance_that_waits_for_a_deadline_is_not_stuck() -> None:
    found = explore(begin(theatre(), HoldSeat("A1")))
    assert not found.stuck
    assert found.states == 4  # held, reminded, expired


def sold_only_while_held(stack: Stack) -> bool:
    return seat(stack) != "free" or not len(stack.event_store)


def test_where_payment_and_expiry_meet_the_order_that_breaks_is_found_and_opened() -> None:
    lab = Lab(holds, stack=theatre())
    lab.send(HoldSeat("A1"))
    lab.resume()

    found = explore(
        lab, invariants={"the hold does not end": sold_only_while_held}, commands=[SellSeat("A1")]
    )
    (violation,) = found.violations
    assert [way.waits for way in violation.ways] == [True, True]
    assert [type(each).__name__ for each in violation.path] == ["RemindGuest", "ExpireHold"]
    assert violation.point_of_no_return is not None
    assert violation.point_of_no_return.step == 2
    assert violation.point_of_no_return.instead == (SellSeat("A1"),)
    opened = violation.lab()
    assert [step.kind for step in opened.steps].count("Elapsed") == 2
    assert seat(opened.stack) == "free"
    assert violation.to_test().count("lab.wait()") == 2
    fails_as_found(violation.to_test(), "sold_only_while_held")
    violation.open_in(lab)
    assert lab.watches["the hold does not end"] is False
    assert "lab.wait" in str(lab.to_code())


def test_time_may_pass_only_when_nothing_else_can_happen() -> None:
    run = begin(theatre(), HoldSeat("A1"))
    while not run.idle:
        _, run = advance(run)
    run = run.submit(SellSeat("A1"))
    any_time, idle = explore(run), explore(run, time="idle")
    assert (any_time.states, idle.states) == (4, 2)
    with pytest.raises(InvalidValue, match=r"explore\(time"):
        explore(run, time="never")  # type: ignore[arg-type]


def test_at_random_time_passes_too() -> None:
    for time in ("any", "idle"):
        found = explore(
            begin(theatre(), HoldSeat("A1")),
            invariants={"held": lambda stack: seat(stack) != "free" or not len(stack.event_store)},
            strategy="random",
            seed=1,
            limit=100,
            time=time,  # type: ignore[arg-type]
        )
        (violation,) = found.violations
        assert [type(each).__name__ for each in violation.path] == ["HoldSeat", "RemindGuest", "ExpireHold"]


def test_a_reminder_a_day_for_ever_is_finite() -> None:
    @dataclass(frozen=True)
    class Daily(holds.Holding):
        def handle(self, event: Any) -> Any:
            return After(timedelta(days=1), holds.RemindGuest(self.seat_id))

        @classmethod
        def interested(cls, event: Any) -> Any:
            found = super().interested(event)
            return Continue(found.id) if isinstance(found, Stop) else found

    run = begin(replace(theatre(), process_manager_types=(Daily,)), HoldSeat("A1"))
    found = explore(run)
    assert (found.complete, found.states) == (True, 3)


def test_two_workers_find_the_same_as_one() -> None:
    offered = [HoldSeat("A1"), ExtendHold("A1"), SellSeat("A1"), HoldSeat("A2")]
    one, two = (explore(theatre(), commands=offered, workers=workers) for workers in (1, 2))
    assert (one.states, one.transitions, one.depth) == (two.states, two.transitions, two.depth)
    assert one.coverage == two.coverage
    assert one.states > 20


def test_a_path_with_a_deadline_that_is_due_at_once_opens_though_the_clock_ticks() -> None:
    @dataclass(frozen=True)
    class Hasty(holds.Holding):
        def handle(self, event: Any) -> Any:
            return After(timedelta(0), holds.ExpireHold(self.seat_id))

    stack = replace(theatre(), process_manager_types=(Hasty,))
    found = explore(
        begin(stack, HoldSeat("A1")),
        invariants={"held": lambda stack: seat(stack) != "free" or not len(stack.event_store)},
    )
    (violation,) = found.violations
    assert seat(violation.lab().stack) == "free"
