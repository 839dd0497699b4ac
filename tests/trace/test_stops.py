"""Every way to step is one loop with a condition; breakpoints stop each of them, and are found backwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import CalamityError, InvalidValue, OutOfRange
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import (
    BankAccount,
    CreateAccount,
    DepositFunds,
    RequestTransfer,
    Transfer,
    WithdrawFunds,
)
from calamity_lab.examples.bank.read_models import BankTotals
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.run import begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.stops import EndsCascade, Times, always, ends_command


def stepper_of(*commands: Any) -> Stepper:
    stack = Stack(process_manager_types=(Transfer,), ids=seeded_ids(1), clock=ticking_clock())
    return Stepper(begin(stack, *commands))


CASCADE = (DepositFunds("1", 50), RequestTransfer("t1", "1", "2", 5), WithdrawFunds("1", 1))


def test_any_condition_that_holds_stops_the_run() -> None:
    assert stepper_of(*CASCADE).go(ends_command, Times(2)).index == 2
    assert stepper_of(*CASCADE).go(ends_command, Times(200)).step.kind == "Completed"  # type: ignore[union-attr]
    assert stepper_of(*CASCADE).go(always).index == 1


def test_a_function_of_a_moment_is_a_condition() -> None:
    moment = stepper_of(*CASCADE).go(lambda moment: moment.step is not None and moment.step.verb == "started")
    assert moment.step is not None
    assert moment.step.stream_id == "Transfer-t1"


def test_a_cascade_ends_with_the_last_command_that_it_caused() -> None:
    stepper = stepper_of(*CASCADE)
    stepper.step_over()
    moment = stepper.go(EndsCascade())
    assert moment.step is not None
    assert moment.step.ends
    assert list(moment.agenda) == [CASCADE[2]]
    assert moment.step.depth > 0


def test_conditions_hold_on_recorded_moments_as_at_the_frontier() -> None:
    stepper = stepper_of(*CASCADE)
    there = stepper.go(ends_command).index
    stepper.restart()
    assert stepper.go(ends_command).index == there


def a_lab(module: Any = bank, *commands: Any, **options: Any) -> Lab:
    lab = Lab(module, ids=seeded_ids(7), clock=ticking_clock(), **options)
    lab.send(*(commands or module.story()))
    return lab


def stops_of(lab: Lab) -> list[int]:
    """Every moment at which resume stops because of a breakpoint or an invariant."""
    found = []
    while not lab.stepper.at_end:
        moment = lab.resume()
        found += [moment.index] if moment.stopped else []
    return found


def reversed_stops(lab: Lab) -> list[int]:
    found = []
    while lab.cursor:
        found.append(lab.reverse().index)
    return found[:-1]


def test_a_breakpoint_stops_resume_and_says_why() -> None:
    lab = a_lab()
    point = lab.break_on(WithdrawFunds)
    moment = lab.resume()
    assert repr(moment).startswith(
        "Stopped at step 25: breakpoint on WithdrawFunds. Step 25: WithdrawFunds dis"
    )
    assert (lab.cursor, point.stopped) == (25, 1)
    assert repr(lab.moment).startswith("Step 25")
    assert moment == lab.moment
    assert lab.stepper.stopped == "Stopped at step 25: breakpoint on WithdrawFunds"
    assert lab.resume().index == 51
    lab.restart()
    assert lab.stepper.stopped == ""
    assert lab.resume().index == 25  # along recorded moments too


@pytest.mark.parametrize(
    ("what", "first"),
    [
        (WithdrawFunds, "Step 25: WithdrawFunds dispatched to BankAccount-alice"),
        (bank.FundsWithdrawn, "Step 27: FundsWithdrawn recorded in BankAccount-alice at position 6"),
        (BankAccount, "Step 1: CreateAccount dispatched to BankAccount-alice"),
        ("WithdrawFunds", "Step 25: WithdrawFunds dispatched to BankAccount-alice"),
        ("BankAccount-bob", "Step 6: CreateAccount dispatched to BankAccount-bob"),
        (Identity(BankAccount, "bob"), "Step 6: CreateAccount dispatched to BankAccount-bob"),
        ("rejection", "Step 36: RequestTransfer rejected: insufficient funds (balance 4000)"),
        (
            ("BankAccount-alice", "balance"),
            "Step 18: FundsDeposited recorded in BankAccount-alice at position 4",
        ),
        (lambda moment: len(moment.agenda) < 8, "Step 11: CreateAccount dispatched to BankAccount-carol"),
    ],
)
def test_each_kind_of_breakpoint_stops_where_its_thing_happens(what: Any, first: str) -> None:
    lab = a_lab()
    lab.break_on(what)
    lab.resume()
    assert repr(lab.moment) == first


def test_a_breakpoint_on_a_process_manager_stops_at_each_reaction() -> None:
    lab = a_lab()
    lab.break_on(Transfer)
    verbs = []
    while lab.resume().stopped:
        assert lab.moment.step is not None
        assert lab.moment.step.stream_id is not None
        assert lab.moment.step.stream_id.startswith("Transfer-")
        verbs.append(lab.moment.step.verb)
    assert verbs[:3] == ["started", "continued", "stopped"]
    assert len(verbs) == sum(step.at_process_manager for step in lab.trace.steps)


def test_a_breakpoint_on_a_field_stops_at_every_change_of_it_and_at_no_other_moment() -> None:
    lab = a_lab()
    lab.break_on(("BankAccount-alice", "balance"))
    stops = stops_of(lab)
    frame = lab.aggregates.to_pandas()
    seen = frame[frame["stream_id"] == "BankAccount-alice"]["balance"].tolist()
    balances = [lab.trace[at].stack.aggregates["BankAccount-alice"].balance for at in stops]
    assert balances == [balance for n, balance in enumerate(seen) if n and seen[n - 1] != balance]


def test_a_breakpoint_on_a_projection_stops_where_it_changes() -> None:
    lab = a_lab(bank, projections=[BankTotals])
    lab.break_on(BankTotals)
    field = lab.break_on(("BankTotals", "accounts"))
    stops = stops_of(lab)
    assert stops == sorted({change.moment for change in lab.trace.index.projections.changes})
    lab.restart()
    lab.breakpoints[0].remove()
    assert stops_of(lab) == [4, 9, 14, 44]
    assert field.stopped == 8


def test_a_condition_must_hold_too_and_hits_wait_for_the_third_time() -> None:
    lab = a_lab()
    lab.break_on(DepositFunds, when=lambda moment: moment.step.command.amount < 6000)  # type: ignore[union-attr]
    every = stops_of(lab)
    lab.breakpoints.clear()
    lab.restart()
    lab.break_on("BankAccount-alice", hits=3)
    third = stops_of(lab)
    lab.breakpoints.clear()
    lab.restart()
    lab.break_on("BankAccount-alice")
    assert third == stops_of(lab)[2:]
    assert len(every) > 0
    for at in every:
        assert lab.trace[at].step.command.amount < 6000  # type: ignore[union-attr]


def test_hits_are_counted_on_the_branch_wherever_the_cursor_was() -> None:
    lab = a_lab()
    lab.break_on(CreateAccount, hits=3)
    assert lab.resume().index == 11
    lab.goto(7)
    assert lab.resume().index == 11
    lab.goto(2)
    lab.send(CreateAccount("dora"))
    lab.choose(-1)
    assert lab.resume().index == 11


def test_step_over_and_step_out_stop_at_a_breakpoint_inside() -> None:
    lab = a_lab()
    lab.break_on(WithdrawFunds)
    lab.goto(lab.resume(until=lambda moment: moment.index == 20).index)
    assert lab.step_out().stopped
    assert lab.cursor == 25
    lab.breakpoints.clear()
    lab.break_on(bank.FundsWithdrawn)
    assert lab.step_over().index == 27
    assert lab.step_in().stopped == ""


def test_reverse_goes_to_the_beginning_and_says_so() -> None:
    lab = a_lab()
    lab.resume()
    assert lab.reverse().stopped == "Stopped at step 0: no breakpoint is set; set one with lab.break_on(...)"
    with pytest.raises(OutOfRange, match="cannot go back"):
        lab.reverse()
    lab.break_on(bank.CloseAccount)
    lab.goto(30)
    assert lab.reverse().stopped == "Stopped at step 0: no breakpoint stops before step 30"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_a_move_back_finds_the_moments_at_which_moves_forward_stopped(seed: int) -> None:
    random = Random(seed)
    module, commands = random.choice(
        [
            (bank, list(bank.random_commands(12, seed=seed, accounts=3))),
            (fulfilment, list(fulfilment.story())[:6]),
        ]
    )
    lab = a_lab(module, *commands, checked=False)
    model = lab.model
    streams = [command.aggregate() for command in commands]
    kinds: list[Any] = [
        *model.commands, *model.events, *model.aggregates, *model.process_managers, "rejection", "conflict",
        *(Identity(*stream) for stream in streams), lambda moment: len(moment.agenda) % 3 == 0,
    ]  # fmt: skip
    for what in random.sample(kinds, 3):
        lab.break_on(
            what, when=random.choice([None, lambda m: m.index % 2]), hits=random.choice([1, 1, 2, 4])
        )
    lab.invariant("events", lambda stack: stack.event_store.last_position % 3 != 2)
    forwards = stops_of(lab)
    assert reversed_stops(lab) == [each for each in forwards if each < lab.trace.last][::-1]
    at = random.randrange(len(lab.trace))
    lab.goto(at)
    assert stops_of(lab) == [each for each in forwards if each > at]
    lab.goto(at)
    assert reversed_stops(lab) == [each for each in forwards if each < at][::-1] if at else True


def test_breakpoints_survive_forks_replays_and_other_branches() -> None:
    lab = a_lab()
    point = lab.break_on(WithdrawFunds)
    stops = stops_of(lab)
    lab.replay()
    assert lab.cursor == lab.trace.last  # a replay runs through
    lab.restart()
    assert stops_of(lab) == stops
    lab.goto(10)
    lab.fork("other")
    assert stops_of(lab) == stops
    assert list(lab.breakpoints) == [point]


def test_a_breakpoint_is_switched_off_and_removed_and_set_once() -> None:
    lab = a_lab()
    point = lab.break_on(WithdrawFunds)
    assert lab.break_on(WithdrawFunds) is point
    again = [lab.break_on("rejection", when=lambda moment: True) for _ in range(2)]
    assert again[0] is again[1]
    again[0].remove()
    point.is_on = False
    assert repr(point) == "breakpoint on WithdrawFunds: stopped 0 times, switched off"
    assert stops_of(lab) == []
    with pytest.raises(InvalidValue, match="give True or False"):
        point.is_on = "no"  # type: ignore[assignment]
    point.remove()
    point.remove()
    assert len(lab.breakpoints) == 0
    assert "lab.break_on(...) sets one" in repr(lab.breakpoints)


def test_breakpoints_show_themselves() -> None:
    lab = a_lab()
    lab.break_on(WithdrawFunds, hits=2)
    lab.resume()
    assert (
        repr(lab.breakpoints) == "1 breakpoint\nbreakpoint on WithdrawFunds, from time 2 on: stopped 1 time"
    )
    assert "<table" in lab.breakpoints._repr_html_()
    assert lab.breakpoints.to_pandas().iloc[0].tolist() == [1, "WithdrawFunds", 2, True, 1, ""]
    assert lab.breakpoints[0].hits == 2
    with pytest.raises(OutOfRange):
        lab.breakpoints[1]


def test_a_function_that_raises_is_shown_as_broken_and_stops_nothing() -> None:
    lab = a_lab()
    broken = lab.break_on(lambda moment: moment.nothing)
    lab.resume()
    assert lab.stepper.at_end
    assert broken.problem == "AttributeError: 'Moment' object has no attribute 'nothing' (at step 68)"
    assert "broken: AttributeError" in repr(lab.breakpoints)


def test_a_function_that_changes_a_state_is_named_and_the_state_is_put_back() -> None:
    @dataclass
    class Opened:
        id: str

    @command(to="Cart", by="id")
    @dataclass
    class Open:
        id: str

    @dataclass
    class Cart:
        id: str
        items: list[int] = field(default_factory=list)

        @classmethod
        def new(cls, cart_id: str) -> Cart:
            return cls(cart_id)

        def execute(self, given: Any) -> Opened:
            return Opened(given.id)

        def apply(self, event: Any) -> Cart:
            return Cart(self.id, [*self.items, 1])

    lab = Lab(aggregates=[Cart], commands=[Open], events=[Opened])
    lab.send(Open("1"), Open("1"))
    point = lab.break_on(lambda moment: [each.items.append(7) for each in moment.stack.aggregates.values()])
    lab.invariant("small", lambda stack: [each.items.clear() for each in stack.aggregates.values()] or True)
    lab.resume()
    assert lab.stepper.at_end
    assert lab.aggregates["Cart-1"] == Cart("1", [1, 1])
    assert "changed Cart-1.items" in point.problem
    assert "changed Cart-1.items" in lab.watches["small"].problem
    assert f"(at step {lab.cursor})" in point.problem


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("BankAcount-1", "did you mean BankAccount"),
        (int, "not part of the lab's model"),
        (3, "give a class of the model, a stream id"),
        (("BankAccount-alice", "balanc"), "BankAccount has no field 'balanc'; it has: account_id, balance"),
        (("BankAccount-alice", 3), "give a text"),
    ],
)
def test_what_never_comes_is_refused(what: Any, says: str) -> None:
    with pytest.raises(CalamityError, match=says):
        a_lab().break_on(what)


def test_bad_arguments_of_a_breakpoint_are_refused() -> None:
    lab = a_lab()
    for bad in ({"hits": 0}, {"hits": "3"}, {"when": 3}):
        with pytest.raises(InvalidValue):
            lab.break_on(WithdrawFunds, **bad)  # type: ignore[arg-type]
    assert len(lab.breakpoints) == 0


def test_an_interrupt_in_a_breakpoint_ends_the_move_and_the_next_one_goes_on() -> None:
    lab = a_lab()

    def endless(moment: Any) -> bool:
        if moment.index == 5:
            raise KeyboardInterrupt
        return False

    lab.break_on(endless)
    with pytest.raises(KeyboardInterrupt):
        lab.resume()
    assert lab.cursor == 5
    lab.resume()
    assert lab.stepper.at_end


def test_limit_and_until_stop_as_before() -> None:
    lab = a_lab()
    lab.break_on(WithdrawFunds)
    assert lab.resume(limit=3).stopped == ""
    assert lab.resume(until=lambda moment: moment.index == 12).index == 12
    assert lab.resume(limit=1000).stopped


def test_breakpoints_that_do_not_stop_cost_less_than_a_tenth_of_the_run() -> None:
    lab = a_lab(bank, *bank.random_commands(150, seed=3, accounts=10), checked=False)
    began = process_time()
    lab.resume()
    took = process_time() - began
    for what in ("conflict", ("BankAccount-nobody", "balance"), lambda moment: False):
        lab.breakpoints.clear()
        lab.break_on(what)
        began = process_time()
        assert not any(
            lab.stepper.stops.why(lab.trace, moment) for moment in lab.trace.branch.moments.iterate(1)
        )
        assert process_time() - began < took / 10
