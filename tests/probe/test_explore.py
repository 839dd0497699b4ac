"""Exploring finds the published numbers of states, the shortest ways, and what plain recursion finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from calamity_lab import (
    Continue,
    Lab,
    Rejected,
    Run,
    Stack,
    Start,
    Stop,
    advance,
    begin,
    command,
    explore,
    seeded_ids,
    ticking_clock,
)
from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.fulfilment.order import OrderStatus
from calamity_lab.kernel.faults import ConcurrentWriter, Crash, Lose, Redeliver
from calamity_lab.lab.exploring import Exploration, StuckState
from tests.probe.puzzles import (
    Puzzle,
    hanoi,
    jugs,
    lights,
    missionaries,
    queens,
    sliding,
    threads,
    two_phase_commit,
    wolf,
)


def explored(puzzle: Puzzle, **given: Any) -> Exploration:
    return explore(puzzle.start, commands=puzzle.commands, **given)


def never(puzzle: Puzzle, is_goal: Callable[[Any], bool]) -> dict[str, Callable[[Stack], bool]]:
    """The invariant that a goal is never reached: what breaks it is a solution."""
    return {"not solved": lambda stack: not is_goal(puzzle.position(stack))}


@pytest.mark.parametrize(
    ("puzzle", "states", "depth"),
    [
        (jugs(), 16, None),
        (two_phase_commit(), 288, None),
        (wolf(), 10, 7),
        (hanoi(), 27, 7),
        (sliding(), 360, 21),
        (lights(), 512, 9),
        (threads(2), 13, 4),
        (threads(3), 84, 6),
    ],
    ids=["jugs", "two-phase commit", "wolf", "hanoi", "tiles", "lights", "two threads", "three threads"],
)
def test_the_published_number_of_states_is_found(puzzle: Puzzle, states: int, depth: int | None) -> None:
    found = explored(puzzle)
    assert found.states == states
    assert found.complete
    assert depth in (None, found.depth)


@pytest.mark.parametrize(
    ("puzzle", "is_goal", "moves"),
    [
        (jugs(), lambda levels: levels[1] == 4, 6),
        (missionaries(), lambda state: state == (0, 0, 1), 11),
        (wolf(), lambda left: not left, 7),
        (hanoi(), lambda pegs: pegs == (2, 2, 2), 7),
    ],
    ids=["jugs", "missionaries", "wolf", "hanoi"],
)
def test_the_shortest_solution_has_the_published_length(
    puzzle: Puzzle, is_goal: Callable[[Any], bool], moves: int
) -> None:
    (violation,) = explored(puzzle, invariants=never(puzzle, is_goal)).violations
    assert len(violation.path) == moves
    lab = violation.lab()
    assert is_goal(puzzle.position(lab.stack))
    assert len(lab.submitted) == moves


def test_eight_queens_stand_in_92_ways() -> None:
    puzzle = queens(8)
    found = explored(puzzle)
    full = [row for row in found.rows() if row["depth"] == 8]
    assert len(full) == 92


@pytest.mark.parametrize(("count", "lost", "steps"), [(2, 4, 4), (3, 53, 6)])
def test_the_lost_update_is_lost_from_step_2_on(count: int, lost: int, steps: int) -> None:
    puzzle = threads(count)

    def adds_up(stack: Stack) -> bool:
        counter, *those = puzzle.position(stack)
        return any(at != "done" for at, _ in those) or counter == count

    found = explored(puzzle, invariants=[adds_up])
    (violation,) = found.violations
    assert violation.invariant == "adds up"
    assert len(violation.path) == steps
    point = violation.point_of_no_return
    assert point is not None
    if count == 2:
        assert (point.step, [each.label for each in point.instead]) == (2, ["0 writes"])
    assert sum(found._lost["adds up"]) == lost
    assert found.verdict == "broken"


# Random models, and plain recursion over `advance`.


@command(to="Cell", by="cell")
@dataclass(frozen=True)
class Put:
    cell: str
    what: int


@dataclass(frozen=True)
class WasPut:
    cell: str
    what: int


@dataclass(frozen=True)
class Cell:
    held: int = 0

    @classmethod
    def new(cls, cell: str) -> Cell:
        return cls()


def random_model(seed: int) -> Run:
    """A run with some commands pending, over a cell and a process manager whose tables are made at random."""
    source = Random(seed)
    size = source.randint(2, 4)
    after = {(held, what): source.randint(0, size) for held in range(size + 1) for what in range(3)}
    refused = {pair for pair in after if source.random() < 0.3}
    sends = {what: source.choice([None, None, *range(3)]) for what in range(3)}
    interest = {what: source.choice([None, Start, Continue, Stop]) for what in range(3)}

    class RandomCell(Cell):
        def execute(self, put: Put) -> Any:
            if (self.held, put.what) in refused:
                raise Rejected("not now")
            return WasPut(put.cell, put.what)

        def apply(self, event: WasPut) -> Any:
            return replace(self, held=after[self.held, event.what])

    @dataclass(frozen=True)
    class Passing:
        heard: int = 0

        @classmethod
        def interested(cls, event: WasPut) -> Any:
            answer = interest[event.what]
            return None if answer is None else answer(event.cell)

        @classmethod
        def new(cls, cell: str) -> Any:
            return cls()

        def apply(self, event: WasPut) -> Any:
            return replace(self, heard=min(self.heard + 1, 2))

        def handle(self, event: WasPut) -> Any:
            what = sends[event.what]
            return None if what is None or self.heard > 1 else Cmd("b" if event.cell == "a" else "a", what)

    @command(to=RandomCell, by="cell")
    class Cmd(Put):
        pass

    stack = Stack(process_manager_types=[Passing], ids=seeded_ids(seed), clock=ticking_clock())
    many = source.randint(1, 4)
    return begin(stack, *[Cmd(source.choice("ab"), source.randint(0, 2)) for _ in range(many)])


def plainly(run: Run) -> set[Any]:
    """The states of a run by plain recursion, each as what it holds."""
    found: set[Any] = set()

    def key(run: Run) -> Any:
        held = frozenset((name, state.held) for name, state in run.stack.aggregates.items() if state.held)
        heard = frozenset((name, state.heard) for name, state in run.stack.process_managers.items())
        waiting = Counter((each.command, each.sender) for each in run.agenda.entries())
        return held, heard, frozenset(waiting.items())

    def whole(run: Run) -> tuple[Run, bool]:
        steps = []
        while not steps or not steps[-1].ends:
            step, run = advance(run)
            steps.append(step)
        return run, any(s.rejected for s in steps) and not any(s.commands for s in steps)

    def visit(run: Run) -> None:
        state = key(run)
        if state in found:
            return
        found.add(state)
        for n in range(len(run.agenda)):
            after, is_nothing = whole(run.choose(n))
            if not is_nothing:
                visit(after)

    visit(run)
    return found


def test_exploring_finds_the_states_that_plain_recursion_finds() -> None:
    sizes = []
    for seed in range(200):
        run = random_model(seed)
        expected = plainly(run)
        for strategy in ("breadth", "depth"):
            assert explore(run, strategy=strategy).states == len(expected), f"seed {seed}"
        sizes.append(len(expected))
    assert max(sizes) > 20


def counting() -> Puzzle:
    from tests.probe.puzzles import puzzle

    return puzzle("Counting", 0, lambda n: {"more": n + 1, "less": max(n - 1, 0)} if n else {"more": 1})


def test_states_without_end_stop_at_the_limit_and_say_what_grew() -> None:
    found = explored(counting(), limit=50)
    assert found.verdict == "undecided"
    assert not found.complete
    assert (
        "stopped at the limit, 1 of 50 states not followed; on the longest path (49 commands) Counting-1 had "
        "49 different states and 49 values of state" in found.stopped
    )
    assert "50 states" in repr(found)
    found.resume(limit=80)
    assert found.states == 80


def test_a_depth_ends_it_too() -> None:
    found = explored(counting(), depth=3)
    assert (found.states, found.depth, found.complete) == (4, 3, False)
    assert found.stopped == "1 state at the greatest depth not followed"


def test_what_must_come_and_never_does_is_a_way_to_an_end_or_in_a_circle() -> None:
    puzzle = hanoi()
    (circle,) = explored(puzzle, eventually={"solved": lambda s: puzzle.position(s) == (2, 2, 2)}).violations
    assert circle.invariant == "never comes: solved"
    assert circle.again is not None
    ended = threads(2)
    (end,) = explored(ended, eventually={"two": lambda s: ended.position(s)[0] == 2}).violations
    assert end.again is None
    assert len(end.path) == 4
    assert explored(ended, eventually={"one": lambda s: ended.position(s)[0] >= 1}).verdict == "holds"


def test_sometimes_is_reached_or_told() -> None:
    puzzle = jugs()
    found = explored(
        puzzle,
        sometimes={"four": lambda s: puzzle.position(s)[1] == 4, "six": lambda s: puzzle.position(s)[1] == 6},
    )
    assert found.unreached == ("six",)
    assert found.verdict == "broken"
    assert "never reached: six" in repr(found)


def test_an_invariant_that_raises_is_broken_with_its_error() -> None:
    def divides(stack: Stack) -> bool:
        return 1 / 0 > 0

    (violation,) = explored(jugs(), invariants=[divides]).violations
    assert (violation.invariant, violation.path) == ("divides", ())
    assert "ZeroDivisionError" in violation.error


def test_a_model_that_raises_is_a_violation_with_the_way_there() -> None:
    class Fragile(Cell):
        def execute(self, put: Any) -> Any:
            return WasPut(put.cell, 1 // (2 - self.held))

        def apply(self, event: WasPut) -> Any:
            return replace(self, held=self.held + 1)

    @command(to=Fragile, by="cell")
    class Press(Put):
        pass

    (violation,) = explore(Stack(), commands=[Press("a", 1)]).violations
    assert violation.invariant == "Fragile.execute raises no error"
    assert "ZeroDivisionError" in violation.error
    assert violation.path == (Press("a", 1),) * 3


def test_at_random_with_a_seed_a_violation_is_found_and_made_short() -> None:
    puzzle = jugs()
    invariants = never(puzzle, lambda levels: levels[1] == 4)
    found = explored(puzzle, invariants=invariants, strategy="random", seed=3, limit=5_000)
    (violation,) = found.violations
    assert len(violation.path) == 6
    assert (
        violation.path
        == explored(puzzle, invariants=invariants, strategy="random", seed=3).violations[0].path
    )
    assert found.verdict == "broken"
    assert not found.complete


def test_a_sweep_finds_the_smallest_model_that_fails() -> None:
    def start(count: int = 1) -> Run:
        return threads(count).start

    def commands(stack: Stack, count: int = 1) -> Any:
        return threads(count).commands(stack)

    def adds_up(stack: Stack) -> bool:
        state = stack.aggregates.get("Threads-1")
        if state is None:
            return True
        counter, *those = state.state
        return any(at != "done" for at, _ in those) or counter == len(those)

    sweep = explore(start, commands=commands, invariants=[adds_up]).sweep(count=[1, 2, 3])
    assert [each.verdict for _, each in sweep] == ["holds", "broken", "broken"]
    assert sweep.smallest is sweep[1][1]
    assert list(sweep.to_pandas()["states"]) == [3, 13, 84]
    assert (sweep.to_csv() or "").startswith("count,verdict,states,")


def test_states_and_choices_leave_as_a_table_and_as_a_graph() -> None:
    found = explored(jugs())
    frame, graph = found.to_pandas(), found.to_networkx()
    assert len(frame) == graph.number_of_nodes() == 16
    assert graph.number_of_edges() == found.transitions == frame["ways_out"].sum()


@pytest.mark.parametrize("strategy", ["breadth", "depth"])
@pytest.mark.parametrize("call", range(2, 16))
def test_an_interrupt_gives_what_was_found_and_resume_finds_the_rest(call: int, strategy: str) -> None:
    puzzle, calls = jugs(), count(1)

    def interrupts(stack: Stack) -> bool:
        if next(calls) == call:
            raise KeyboardInterrupt
        return puzzle.position(stack)[1] != 4

    found = explored(puzzle, invariants=[interrupts], strategy=strategy)
    assert found.stopped.startswith("interrupted")
    assert found.states == call - 1
    found.resume()
    whole = explored(puzzle, invariants=never(puzzle, lambda levels: levels[1] == 4), strategy=strategy)
    assert (found.states, found.transitions, found.complete) == (16, whole.transitions, True)
    assert sum(found._explorer.bad["interrupts"]) == sum(whole._explorer.bad["not solved"]) > 1


@pytest.mark.parametrize("strategy", ["breadth", "depth", "random"])
def test_in_parts_the_same_is_found_as_at_once(strategy: str) -> None:
    invariants = never(jugs(), lambda levels: levels[1] == 4)
    given: dict[str, Any] = {"invariants": invariants, "strategy": strategy, "limit": 300, "depth": 9}
    parts = explored(jugs(), **given, at_once=False)
    assert (parts.states, parts.transitions, parts.is_open) == (1, 0, True)
    turns = 0
    while parts.go_on(0):  # no time: one state, or one choice, a part
        turns += 1
    whole = explored(jugs(), **given)
    assert turns > 9
    assert (parts.states, parts.transitions) == (whole.states, whole.transitions)
    assert repr(parts) == repr(whole)


def test_what_is_stopped_keeps_what_was_found_and_goes_on() -> None:
    found = explored(jugs(), at_once=False)
    found.go_on(0)
    found.stop()
    assert (found.is_open, found.go_on(1), found.verdict) == (False, False, "undecided")
    assert found.stopped.startswith("stopped, ")
    assert (found.resume().states, found.verdict) == (16, "holds")
    found.stop()
    assert found.verdict == "holds"


def test_a_lab_explores_with_its_invariants_and_goes_to_where_one_breaks() -> None:
    lab = order_and_cancel()
    lab.invariant("no cancelled order is shipped", ships_nothing_cancelled)
    lab.invariant("is off", lambda stack: False).is_on = False
    lab.break_on("rejection")
    lab.resume(limit=9)
    lab.step()
    begin_ = lab.moment
    found = lab.explore()
    assert (lab.moment, lab.exploration) == (begin_, found)
    (violation,) = found.violations
    assert violation.invariant == "no cancelled order is shipped"

    violation.open_in(lab)
    assert lab.trace.branch.name == "breaks: no cancelled order is shipped"
    assert not ships_nothing_cancelled(lab.stack)
    assert lab.moment.rests
    before = lab.moment
    lab.switch("main")
    violation.open_in(lab)
    assert (lab.moment, list(lab.branches)) == (before, ["main", "breaks: no cancelled order is shipped"])
    lab.switch("main")
    lab.remove("breaks: no cancelled order is shipped")
    assert repr(violation.open_in(lab)) == repr(before)
    assert len(lab.branches) == 2
    with pytest.raises(InvalidValue, match="needs the lab that was explored"):
        violation.open_in(order_and_cancel())


def test_a_violation_of_no_lab_is_opened_by_making_one_with_the_invariant() -> None:
    puzzle = jugs()
    found = explored(puzzle, invariants=never(puzzle, lambda levels: levels[1] == 4))
    with pytest.raises(InvalidValue, match="needs the lab that was explored"):
        found.violations[0].open_in(order_and_cancel())
    assert found.violations[0].lab().watches["not solved"] is False


@dataclass(frozen=True)
class Odd:
    thing: Any = None

    @classmethod
    def new(cls, odd: str) -> Odd:
        return cls()

    def execute(self, command: Any) -> Any:
        return WasPut("a", 1)

    def apply(self, event: Any) -> Any:
        return Odd((Slotted(), 1))


class Slotted:
    __slots__ = ()


@command(to=Odd, by="cell")
@dataclass(frozen=True)
class PutOdd:
    cell: str


def test_a_state_that_equals_only_itself_is_named_with_the_field_and_what_to_do() -> None:
    with pytest.raises(InvalidValue, match=r"Odd-a\.thing\[\] is <.*two objects of Slotted are never equal"):
        explore(begin(Stack(), PutOdd("a")))
    assert explore(begin(Stack(), PutOdd("a")), by=lambda stack: len(stack.aggregates)).states == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strategy": "best"}, "strategy"),
        ({"limit": 0}, "limit"),
        ({"invariants": ["positive"]}, "invariants"),
        ({"commands": [PutOdd]}, "commands"),
        ({"commands": [3]}, "commands"),
        ({"invariants": [len, len]}, "two functions have the name 'len'"),
    ],
)
def test_bad_arguments_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        explore(Stack(), **given)


def test_what_is_no_start_is_named() -> None:
    with pytest.raises(InvalidValue, match=r"explore\(start=3\): give a Stack, a Run, a Lab"):
        explore(3)  # type: ignore[arg-type]


def fails_as_found(code: str, invariant: str) -> None:
    """Run the test that was written, which fails in its last line."""
    space: dict[str, Any] = {}
    exec(compile(code, "<a test>", "exec"), space)
    with pytest.raises(AssertionError):
        space[f"test_{invariant}"]()
    assert code.rstrip().endswith(f"assert {invariant}(lab.stack)")


def order_and_cancel() -> Lab:
    lab = Lab(fulfilment)
    lab.send(*fulfilment.story()[:3], fulfilment.CancelOrder("1001", "changed my mind"))
    return lab


def ships_nothing_cancelled(stack: Stack) -> bool:
    order, parcel = stack.aggregates.get("Order-1001"), stack.aggregates.get("Shipment-parcel-1001")
    is_cancelled = order is not None and order.status is OrderStatus.CANCELLED
    return not (is_cancelled and parcel is not None and parcel.dispatched_on is not None)


def test_a_cancellation_in_the_middle_of_a_cascade_ships_a_cancelled_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = explore(order_and_cancel(), invariants=[ships_nothing_cancelled])
    (violation,) = found.violations
    assert [type(each).__name__ for each in violation.path][-2:] == ["DispatchParcel", "CancelOrder"]
    lab = violation.lab()
    assert not ships_nothing_cancelled(lab.stack)
    assert lab.moment.rests
    fails_as_found(violation.to_test(), "ships_nothing_cancelled")
    point = violation.point_of_no_return
    assert point is not None
    assert point.command == fulfilment.CancelOrder("1001", "changed my mind")
    assert fulfilment.MarkOrderShipped("1001") in point.instead
    assert found.complete
    assert not caplog.messages, "what the kernel logs of thousands of runs is of no interest"


def test_where_an_instance_waits_for_ever_the_state_is_stuck() -> None:
    found = explore(order_and_cancel())
    assert all("Replenishment-teapot" in each.instances for each in found.stuck)
    first = found.stuck[0]
    assert f"{len(found.stuck)} states in which nothing can happen, though {first.who_waits}" in repr(found)
    assert first.who_waits == "Replenishment-teapot waits"
    two = StuckState(found, first.ways, ("Transfer-1", "Transfer-2"), ())
    assert two.who_waits == "Transfer-1 and Transfer-2 wait"
    lab = first.lab()
    assert lab.moment.rests
    assert list(lab.process_managers) == list(first.instances)


def test_the_coverage_says_in_the_words_of_the_model_what_never_happened() -> None:
    coverage = explore(order_and_cancel()).coverage
    assert "RefundPayment" in coverage.commands
    assert "CancelOrder" not in coverage.commands
    assert "ParcelDelivered" in coverage.events
    assert "card declined" in coverage.reasons
    assert "out of stock" not in coverage.reasons
    assert coverage.reactions == ("Replenishment stopped",)


def test_money_is_kept_in_whatever_order_transfers_go_when_it_is_counted_with_what_is_under_way() -> None:
    lab = Lab(bank)
    lab.send(bank.CreateAccount("a", "A"), bank.CreateAccount("b", "B"), bank.DepositFunds("a", 100))
    lab.resume()
    lab.send(*[bank.RequestTransfer(f"t{n}", "a", "b", 40) for n in range(3)])

    def nobody_is_overdrawn(stack: Stack) -> bool:
        return all(account.balance >= 0 for account in stack.aggregates.values())

    found = explore(lab, invariants=[nobody_is_overdrawn])
    assert found.verdict == "holds"
    assert found.states == len(plain_states(lab.moment.run))


def plain_states(run: Run) -> set[Any]:
    """The states by plain recursion, compared as texts."""
    found: set[Any] = set()

    def visit(run: Run) -> None:
        held = [*run.stack.aggregates.items(), *run.stack.process_managers.items()]
        waiting = sorted(repr((each.command, each.sender)) for each in run.agenda.entries())
        state = repr((sorted(map(repr, held)), waiting))
        if state in found:
            return
        found.add(state)
        for n in range(len(run.agenda)):
            steps, after = [], run.choose(n)
            while not steps or not steps[-1].ends:
                step, after = advance(after)
                steps.append(step)
            if not (any(s.rejected for s in steps) and not any(s.commands for s in steps)):
                visit(after)

    visit(run)
    return found


def transfer() -> Lab:
    lab = Lab(bank)
    lab.send(bank.CreateAccount("a", "A"), bank.CreateAccount("b", "B"), bank.DepositFunds("a", 100))
    lab.resume()
    lab.send(bank.RequestTransfer("t", "a", "b", 40))
    return lab


def money(stack: Stack) -> int:
    return sum(account.balance for account in stack.aggregates.values())


@pytest.mark.parametrize(
    ("fault", "invariant", "last"),
    [
        (Redeliver, lambda stack: money(stack) <= 100, "DepositFunds"),
        (Crash(), lambda stack: money(stack) <= 100, ""),
        (
            ConcurrentWriter("BankAccount-a", bank.FundsWithdrawn("a", 90)),
            lambda stack: all(account.balance >= 0 for account in stack.aggregates.values()),
            "",
        ),
    ],
    ids=["redeliver", "crash", "writer"],
)
def test_faults_are_choices_that_happen_once(fault: Any, invariant: Any, last: str) -> None:
    without = explore(transfer())
    found = explore(transfer(), faults=[fault], invariants={"sound": invariant})
    assert found.states > without.states
    assert found.complete
    if last:
        (violation,) = found.violations
        assert last in repr(violation.path[-1]) or last in repr(violation)
        lab = violation.lab()
        assert not invariant(lab.stack)
        assert sum(type(step).__name__ == "Injected" for step in lab.steps) == 1
    else:
        assert found.violations == ()


def test_a_lost_command_leaves_its_process_manager_waiting() -> None:
    assert explore(transfer()).stuck == ()
    found = explore(transfer(), faults=[Lose])
    assert {each.instances for each in found.stuck} == {("Transfer-t",)}
    assert any("Lose(DepositFunds" in repr(each.path[-1]) for each in found.stuck)


def test_what_is_no_fault_is_named() -> None:
    with pytest.raises(InvalidValue, match=r"explore\(faults=.*Crash"):
        explore(transfer(), faults=[3])


def test_the_program_in_the_guide_finds_what_the_guide_says() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "exploring.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in guide.split("```python\n")[1:]:
        exec(block.split("```")[0], names)
    found = names["found"]
    assert found.verdict == "broken"
    (violation,) = found.violations
    assert [type(each).__name__ for each in violation.path][-2:] == ["DispatchParcel", "CancelOrder"]
    assert violation.lab().aggregates["Order-1001"].status is OrderStatus.CANCELLED
    assert [each.verdict for _, each in names["sweep"]] == ["holds"] * 3
    assert names["sweep"].smallest is None
