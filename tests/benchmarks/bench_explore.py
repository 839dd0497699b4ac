"""Exploring against the kernel alone, and against a search over hand-written tuples.

The kernel alone carries out the same commands on the same stacks, which it is told: what exploring costs
beside it are choices, states that are compared, and the graph. The tuples know nothing of aggregates, events
and process managers. Times are those of the processor, as other programs may use the machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from os import getloadavg
from time import process_time
from typing import Any

from calamity_lab import Rejected, Run, Stack, advance, begin, command, seeded_ids, ticking_clock
from calamity_lab.examples import bank
from calamity_lab.probe.explore import Explorer
from calamity_lab.probe.workers import ForkedCrew
from tests.benchmarks.measuring import fresh, medians, of_all_processes, table

SIDE = 12


@command(to="Counter", by="counter")
@dataclass(frozen=True)
class Count:
    counter: str


@dataclass(frozen=True)
class Counted:
    counter: str


@dataclass(frozen=True)
class Counter:
    counter: str
    count: int = 0

    @classmethod
    def new(cls, counter: str) -> Counter:
        return cls(counter)

    def execute(self, count: Count) -> Counted:
        if self.count == SIDE:
            raise Rejected("full")
        return Counted(count.counter)

    def apply(self, event: Counted) -> Counter:
        return replace(self, count=self.count + 1)


@command(to="Endless", by="counter")
@dataclass(frozen=True)
class CountOn:
    counter: str


@dataclass(frozen=True)
class Endless(Counter):
    def execute(self, count: CountOn) -> Counted:
        return Counted(count.counter)


GRID = [Count(name) for name in "abc"]
ENDLESS = [CountOn(name) for name in "abc"]


def run() -> list[str]:
    """The report, line by line."""
    lines = []
    for name, start, offered, plainly in (
        ("a grid of three counters", empty(), GRID, grid),
        ("three transfers in any order", transfers(), (), transfers_as_tuples),
    ):
        found = explored(start, offered)
        choices = found.transitions
        works: dict[str, Callable[[], Any]] = {
            "the kernel alone": partial(kernel_alone, start, found),
            "exploring": partial(explored, start, offered),
            "a search over tuples": plainly,
        }
        lines += [
            f"{name}: {found.states:,} states, {choices:,} transitions; one transition (aim: 1.5 times)"
        ]
        times = medians(works, 5, process_time)
        lines += table(times, choices)
        took = times["exploring"]
        lines += [f"{choices / took:,.0f} successors and {found.states / took:,.0f} distinct states a second"]
    return [*lines, *workers(), *memory()]


def workers() -> list[str]:
    """Two processes against one, on a grid that is large enough for them."""
    works = {"one process": partial(large, 1), "two processes": partial(large, 2)}
    took = medians(works, 3)
    spent = medians(works, 3, of_all_processes)
    one, two = spent.values()
    speed = took["one process"] / took["two processes"]
    return [
        f"two workers: {speed:.2f} times as quick as one (aim: 1.6), at a load of {getloadavg()[0]:.1f}",
        f"all processes together take {two / one:.2f} times the time of processors that one takes, so two "
        f"processors are at most {2 * one / two:.2f} times as quick",
    ]


def large(count: int) -> Explorer:
    """A grid without an edge, up to 10,000 states."""
    explorer = Explorer(empty(), offer=lambda stack: ENDLESS)
    if count == 1:
        explorer.go(10_000)
    else:
        crew = ForkedCrew(explorer, count)
        crew.go(10_000, lambda: None)
        crew.stop()
    return explorer


def memory() -> list[str]:
    """Bytes for each state, on Linux: where many states share their parts, and where none do."""
    lines = []
    for name, commands in (("a grid of three counters", "ENDLESS"), ("one counter", "ENDLESS[:1]")):
        found = fresh(
            "from pathlib import Path\n"
            "from tests.benchmarks.bench_explore import ENDLESS, Explorer, empty\n"
            "def pages(): return int(Path('/proc/self/statm').read_text().split()[1])\n"
            f"explorer = Explorer(empty(), offer=lambda stack: {commands})\n"
            "explorer.go(1_000)\n"
            "before = pages()\n"
            "explorer.go(11_000)\n"
            "print((pages() - before) * 4_096 // 10_000)"
        )
        lines.append(f"{name}: {int(found):,} bytes a state (aim: 2,000, so that a million fit into 2 GB)")
    return lines


def empty() -> Run:
    return begin(Stack(ids=seeded_ids(1), clock=ticking_clock()))


def transfers() -> Run:
    """Two accounts with money, and three transfers between them that wait."""
    stack = Stack(process_manager_types=(bank.Transfer,), ids=seeded_ids(1), clock=ticking_clock())
    run = begin(
        stack, bank.CreateAccount("a", "A"), bank.CreateAccount("b", "B"), bank.DepositFunds("a", 100)
    )
    while not run.idle:
        _, run = advance(run)
    return run.submit(*[bank.RequestTransfer(f"t{n}", "a", "b", amount=30) for n in range(3)])


def explored(start: Run, offered: Iterable[Any]) -> Explorer:
    commands = tuple(offered)
    explorer = Explorer(start, offer=(lambda stack: commands) if commands else None)
    explorer.go(1_000_000)
    return explorer


def kernel_alone(start: Run, found: Explorer) -> None:
    """The commands of a graph that is known: each on the stack on which exploring carried it out."""
    runs = {0: start}
    for state in range(found.states):
        kept = runs.pop(state)
        for choice, target in found.ways_out(state):
            run = kept.submit(choice.command) if choice.is_offered else kept.choose(choice.command)
            while True:
                step, run = advance(run)
                if step.ends:
                    break
            if target > state:
                runs.setdefault(target, run)


def searched(start: Any, following: Callable[[Any], Iterable[Any]]) -> int:
    found, waiting = {start}, deque([start])
    while waiting:
        for after in following(waiting.popleft()):
            if after not in found:
                found.add(after)
                waiting.append(after)
    return len(found)


def grid() -> int:
    def following(counts: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
        for n, count in enumerate(counts):
            if count < SIDE:
                yield (*counts[:n], count + 1, *counts[n + 1 :])

    return searched((0, 0, 0), following)


def transfers_as_tuples() -> int:
    """Each transfer asked for, withdrawn, deposited, done: with the two balances."""

    def following(state: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
        a, b, *at = state
        for n, stage in enumerate(at):
            if stage < 4:
                moved = (30 if stage == 1 else 0), (30 if stage == 2 else 0)
                yield (a - moved[0], b + moved[1], *at[:n], stage + 1, *at[n + 1 :])

    return searched((100, 0, 0, 0, 0), following)
