"""Letting time pass to a deadline, and drawing the lanes: with few deadlines, and with very many."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from statistics import median

from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.clocks_and_ids import read
from calamity_lab.kernel.deadlines import Deadlines
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.run import Run, advance, begin, elapse
from calamity_lab.trace.stepper import Stepper
from calamity_lab.views.chart import Charts
from calamity_lab.views.lanes import window
from calamity_lab.widgets.patches import chart_patch
from tests.benchmarks.measuring import seconds, table
from tests.holds import ExpireHold, Holding, HoldSeat, theatre

FEW = 1_000
MANY = 1_000_000
WAITS = 150
ROUNDS = 5
MOST = 3
DRAWN = (100, 100_000)
WINDOWS = 20
INSTANCES = 1_000


def run(many: int = MANY) -> list[str]:
    """The report: a step, a wait with few and with many deadlines, and setting one among many."""
    few_run, many_run = _Waiting(FEW), _Waiting(many)
    works: dict[str, Callable[[], object]] = {
        "a step": _steps,
        f"a wait, {FEW:,} deadlines": few_run.waits,
        f"a wait, {many:,} deadlines": many_run.waits,
        f"setting one, {FEW:,} deadlines": few_run.sets,
        f"setting one, {many:,} deadlines": many_run.sets,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            times[name].append(seconds(work))
    found = {name: median(taken) for name, taken in times.items()}
    return [
        f"a deadline each day; {WAITS:,} waits",
        *table(found, WAITS),
        f"  aim: a wait is flat, and takes at most {MOST} times a step",
        *_lanes(),
    ]


def _lanes() -> list[str]:
    """A step with its part of the lanes, and a window of the lanes, with few and with very many deadlines."""
    works: dict[str, Callable[[], object]] = {}
    for count in DRAWN:
        drawn = _Drawn(count)
        works[f"steps, {count:,} deadlines"] = drawn.steps
        works[f"windows, {count:,} deadlines"] = drawn.windows
    found = {name: median([seconds(work) for _ in range(ROUNDS)]) for name, work in works.items()}
    steps, windows = (
        found[f"{name}, {DRAWN[1]:,} deadlines"] / found[f"{name}, {DRAWN[0]:,} deadlines"]
        for name in ("steps", "windows")
    )
    return [
        f"the lanes of {INSTANCES:,} instances",
        *table(found, WINDOWS),
        f"  many against few: a step {steps:.1f}, a window {windows:.1f} (aim: at most {MOST})",
    ]


class _Drawn:
    """A run whose instances have so many deadlines together, and its lanes."""

    def __init__(self, count: int) -> None:
        now, _ = read(theatre().clock)
        kept = [
            Pending(
                ExpireHold(str(n)),
                f"id-{n}",
                "c",
                sender=Identity(Holding, str(n % INSTANCES)),
                due_at=now + timedelta(days=n + 1),
                deadline=f"expiry {n}",
            )
            for n in range(count)
        ]
        self._stepper = Stepper(theatre(deadlines=Deadlines(kept)), checked=False)
        self._stepper.submit(*[HoldSeat(f"new {n}") for n in range(2 * ROUNDS * WINDOWS)])
        self._charts = Charts()
        self._chart = self._charts.of(self._stepper.trace)

    def steps(self) -> None:
        """So many commands, each followed by what the lanes of a widget are sent."""
        for _ in range(WINDOWS):
            self._stepper.step_over()
            chart = self._charts.of(self._stepper.trace)
            chart_patch(chart, self._chart)
            self._chart = chart

    def windows(self) -> None:
        """So many windows of the lanes."""
        for _ in range(WINDOWS):
            window(self._chart, self._stepper.cursor)


def _run_with(count: int) -> Run:
    stack = theatre()
    now, _ = read(stack.clock)
    deadlines = Deadlines(
        [
            Pending(
                ExpireHold(str(n)),
                f"id-{n}",
                "c",
                sender=Identity(Holding, str(n)),
                due_at=now + timedelta(days=n + 1),
                deadline="ExpireHold",
            )
            for n in range(count)
        ]
    )
    return begin(replace(stack, deadlines=deadlines))


class _Waiting:
    """A run with so many deadlines, which goes on from round to round as a real one does."""

    def __init__(self, count: int) -> None:
        self._run, self._names = _run_with(count), itertools.count()

    def waits(self) -> None:
        """So many waits; what is due is taken off the agenda, so that only the waits are measured."""
        run = self._run
        for _ in range(WAITS):
            _, run = elapse(run)
            run = replace(run, agenda=run.agenda.take()[1])
        self._run = run

    def sets(self) -> None:
        """So many deadlines more, each in front of all others."""
        stack = self._run.stack
        deadlines: Deadlines = stack.deadlines
        first = deadlines.first
        assert first is not None, "deadlines are set"
        for _ in range(WAITS):
            name = f"new-{next(self._names)}"
            deadlines = deadlines.set(replace(first, sender=Identity(Holding, name), command_id=name))
        self._run = replace(self._run, stack=replace(stack, deadlines=deadlines))


def _steps() -> Run:
    """As many steps as there are waits."""
    run = begin(theatre(), *[HoldSeat(str(n)) for n in range(WAITS)])
    for _ in range(WAITS):
        _, run = advance(run)
    return run
