"""Several workers find what one process finds: the same states with the same numbers, and all else."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from calamity_lab import Lab, Run, Stack, explore, ticking_clock
from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.faults import Crash, Lose, Redeliver
from calamity_lab.kernel.stack import changed
from calamity_lab.lab.exploring import Exploration
from calamity_lab.probe import workers
from calamity_lab.probe.explore import Explorer
from calamity_lab.probe.workers import ExploringWorker
from tests.benchmarks.bench_explore import GRID, empty
from tests.probe.puzzles import Puzzle, hanoi, queens, sliding, threads, two_phase_commit
from tests.probe.test_explore import (
    order_and_cancel,
    random_model,
    ships_nothing_cancelled,
    transfer,
)


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers begin with the second state, so that small models are shared, too."""
    monkeypatch.setattr(workers, "WIDE", 1)


def facts(found: Exploration) -> dict[str, Any]:
    """All that an exploration says, and the graph with its numbers."""
    explorer = found._explorer
    return {
        "text": repr(found),
        "rows": list(found.rows()),
        "ways": [
            [(way.label, way.sender, to) for way, to in explorer.ways_out(n)] for n in range(found.states)
        ],
        "violations": [(each.invariant, each.path, each.error, each.again) for each in found.violations],
        "stuck": explorer.stuck,
        "coverage": found.coverage,
        "unreached": found.unreached,
        "numbers": (found.states, found.transitions, found.depth, explorer.left, explorer.cut),
        "ordinals": list(explorer.ordinals),
    }


class InThisProcess:
    """A worker without a process, so that many small models can be explored."""

    def __init__(self, make: Callable[[], Explorer]) -> None:
        self._make = make

    def start(self) -> None:
        explorer = self._make()
        self._worker = ExploringWorker(explorer, {0: explorer.first}, 0)

    def send(self, task: bytes) -> None:
        self._answer = self._worker.work(task)

    def receive(self) -> bytes:
        return self._answer

    def stop(self) -> None:
        """It has no process."""


def shared_out(make: Callable[[], Explorer], count: int) -> Explorer:
    explorer = make()
    found = [InThisProcess(make) for _ in range(count)]
    first = {0: explorer.first}
    explorer.share()
    workers.Crew(explorer, found, first, 0).go(10**6, lambda: None, lambda busy: busy[-1:])
    return explorer


def test_200_small_models_are_the_same_with_two_workers() -> None:
    for seed in range(200):
        make = partial(Explorer, random_model(seed))
        alone = make()
        alone.go(10**6)
        two = shared_out(make, 2)
        for name in ("parents", "ordinals", "depths", "transitions", "stuck", "seen"):
            assert getattr(two, name) == getattr(alone, name), f"{name}, seed {seed}"
        for state in range(alone.states):
            assert [*two.ways_out(state)] == [*alone.ways_out(state)]


def test_a_worker_with_less_to_do_goes_on_from_its_own_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a grid any run of a state will do, so none is made again, from the ordinals of its choices."""
    made_again: list[int] = []
    after = Explorer.after

    def noted(explorer: Explorer, run: Run, vector: tuple[int, ...], ordinal: int) -> Any:
        made_again.append(ordinal)
        return after(explorer, run, vector, ordinal)

    monkeypatch.setattr(Explorer, "after", noted)
    monkeypatch.setattr(workers, "WIDE", 32)
    monkeypatch.setattr(workers, "_AT_FIRST", 128)
    monkeypatch.setattr(workers, "_ANSWERS_WITHIN", 10**9)
    found = shared_out(partial(Explorer, empty(), offer=lambda stack: GRID, depth=16), 2)
    assert found.states == 909
    assert len(made_again) < 100, "only those with which the second worker begins"


def puzzled(puzzle: Puzzle, **given: Any) -> Callable[..., Exploration]:
    return partial(explore, puzzle.start, commands=puzzle.commands, **given)


def solved(stack: Stack) -> bool:
    return stack.aggregates["Hanoi-1"].state == (2, 2, 2)


def at_given_times(lab: Lab) -> Run:
    """The run with a clock that ticks: the fault of an event tells when that was recorded."""
    return replace(lab.moment.run, stack=changed(lab.moment.run.stack, clock=ticking_clock()))


@pytest.mark.parametrize(
    "make",
    [
        puzzled(hanoi(), eventually=[solved], depth=6),
        puzzled(queens(5)),
        puzzled(threads(3), invariants={"one": lambda stack: len(stack.aggregates) < 1}),
        puzzled(two_phase_commit(), sometimes={"never": lambda stack: False}, limit=100),
        puzzled(sliding(), by=lambda stack: sliding().position(stack)[:4]),
        partial(explore, order_and_cancel(), invariants=[ships_nothing_cancelled], limit=500),
        partial(
            explore,
            at_given_times(transfer()),
            faults=[Crash(), Lose, Redeliver],
            invariants={"no": lambda stack: True},
        ),
    ],
    ids=["hanoi", "queens", "threads", "commit", "tiles", "order", "faults"],
)
def test_two_processes_find_the_same_as_one(make: Callable[..., Exploration]) -> None:
    alone, two = make(), make(workers=2)
    assert facts(two) == facts(alone)
    assert two._explorer.is_shared
    if not alone.complete:
        assert facts(two.resume(10**4)) == facts(alone.resume(10**4))


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that are forked from now on; this one may have others, such as a browser."""
    pids: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: pids.append(fork()) or pids[-1])
    return pids


def assert_gone(pids: list[int]) -> None:
    """That processes have ended, and that somebody has asked how."""
    assert pids
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_processes_are_kept_from_one_part_to_the_next(forked: list[int]) -> None:
    make = puzzled(queens(4))
    parts = make(workers=2, at_once=False)
    while parts.go_on(0.0):
        pass
    assert len(forked) == 2
    assert facts(parts) == facts(make())
    given_up = make(workers=2, at_once=False)
    given_up.go_on(0.0)
    given_up.go_on(0.0)
    given_up.stop()
    left = make(workers=2, at_once=False)
    left.go_on(0.0)
    left.go_on(0.0)
    assert len(forked) == 6
    del left
    gc.collect()
    assert_gone(forked)


def test_choices_and_states_are_told_what_they_are_where_a_class_cannot_be_pickled() -> None:
    """The classes of `random_model` are those of a function."""
    for seed in (7, 8):
        assert facts(explore(random_model(seed), workers=2)) == facts(explore(random_model(seed)))


def test_children_are_gone_afterwards_and_run_nothing_of_the_end_of_the_program(
    tmp_path: Path, forked: list[int]
) -> None:
    mine, at_end = os.getpid(), tmp_path / "ended"

    def ended() -> None:
        if os.getpid() != mine:
            at_end.touch()

    atexit.register(ended)
    reads, writes = os.pipe()
    lock = threading.Lock()
    held = threading.Thread(target=lambda: lock.acquire() and time.sleep(0.3))
    held.start()
    puzzled(hanoi())(workers=2)
    held.join()
    atexit.unregister(ended)
    assert not at_end.exists()
    assert_gone(forked)
    os.close(writes)
    assert os.read(reads, 1) == b"", "a worker has kept a pipe that is not its own"


class Killed:
    """An invariant that ends the process in which it is asked, at its so manieth question there."""

    def __init__(self, folder: Path, deaths: int) -> None:
        self.master, self.folder, self.deaths = os.getpid(), folder, deaths
        self.__name__ = "deadly"

    def __call__(self, stack: Stack) -> bool:
        dead = len(list(self.folder.iterdir()))
        if os.getpid() != self.master and dead < self.deaths:
            with suppress(FileExistsError):  # the other worker was quicker
                (self.folder / str(dead)).touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
        return True


def test_a_worker_that_dies_is_started_again_and_its_share_is_done_again(tmp_path: Path) -> None:
    make = puzzled(hanoi(), invariants=[Killed(tmp_path, 1)])
    assert facts(make(workers=2)) == facts(make())
    assert len(list(tmp_path.iterdir())) == 1


def test_a_worker_that_dies_again_ends_it_and_says_how_and_what_was_found_is_kept(tmp_path: Path) -> None:
    make = puzzled(hanoi(), invariants=[Killed(tmp_path, 4)])
    found = make(workers=2)
    assert found.verdict == "undecided"
    assert found.stopped.startswith(
        "a worker process died twice: signal SIGKILL, as where there is no memory left, while 'deadly' was "
        "asked, "
    )
    assert 1 <= found.states < 27
    for n in range(4):
        (tmp_path / str(n)).touch()
    assert facts(found.resume()) == facts(make())


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("count", [1, 2])
def test_an_invariant_that_never_ends_is_named_when_it_is_interrupted(count: int) -> None:
    puzzle = hanoi()

    def waits_for_ever(stack: Stack) -> bool:
        while puzzle.position(stack)[0] == 1 and is_endless:
            time.sleep(0.01)
        return True

    is_endless = True
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    make = puzzled(puzzle, invariants=[waits_for_ever])
    found = make(workers=count)
    assert found.stopped.startswith("interrupted while 'waits for ever' was asked, ")
    is_endless = False
    assert facts(found.resume()) == facts(make())


def test_states_that_cannot_be_compared_are_named_by_workers_too() -> None:
    class Price:
        def __init__(self, amount: Any) -> None:
            self.amount = amount

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Price) and self.amount == other.amount

        def __hash__(self) -> int:
            return hash(self.amount)

    puzzle = hanoi()
    make = puzzled(puzzle, by=lambda stack: Price(puzzle.position(stack)))
    assert make().states == 27
    with pytest.raises(InvalidValue, match=r"Price.*an __eq__ of its own.*workers=1"):
        make(workers=2)


def test_a_function_for_commands_that_raises_in_a_worker_is_named() -> None:
    puzzle = hanoi()

    def commands(stack: Stack) -> Sequence[Any]:
        if puzzle.position(stack)[0] == 2:
            raise ValueError("no moves")
        return list(puzzle.commands(stack))

    for count in (1, 2):
        with pytest.raises(
            InvalidValue, match=r"explore\(commands\): the function raised ValueError: no moves"
        ):
            explore(puzzle.start, commands=commands, workers=count)


@pytest.mark.parametrize("given", [0, -1, True, 10**6, "two", None, 2.0])
def test_what_is_no_number_of_workers_is_named(given: Any) -> None:
    with pytest.raises(
        InvalidValue, match=rf"explore\(workers={given!r}\): give a whole number from 1 to 64"
    ):
        explore(Stack(), workers=given)


@pytest.mark.parametrize("strategy", ["depth", "random"])
def test_several_workers_explore_by_breadth_only(strategy: Any) -> None:
    with pytest.raises(InvalidValue, match="by breadth only"):
        explore(Stack(), workers=2, strategy=strategy)


def test_where_a_process_cannot_be_forked_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(InvalidValue, match=r"cannot fork.*workers=1"):
        explore(Stack(), workers=2)
    assert explore(Stack(), workers=1).states == 1
