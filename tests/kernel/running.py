"""Short words for what nearly every test of the kernel does."""

from __future__ import annotations

from typing import Any

from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Step


def stack_of(*process_manager_types: type, **fields: Any) -> Stack:
    """A stack with seeded ids and a clock that ticks."""
    given = {"ids": seeded_ids(7), "clock": ticking_clock(), **fields}
    return Stack(process_manager_types=process_manager_types, **given)


def finish(run: Run) -> tuple[list[Step], Run]:
    """Advance until the run is idle: every step, and the run then."""
    steps = []
    while not run.idle:
        step, run = advance(run)
        steps.append(step)
    return steps, run


def steps_of(stack: Stack, *commands: Any) -> tuple[list[Step], Stack]:
    """Every step of the commands, and the stack after them."""
    steps, run = finish(begin(stack, *commands))
    return steps, run.stack


def only(kind: type, steps: list[Step]) -> Any:
    """The one step of that kind."""
    (step,) = [step for step in steps if isinstance(step, kind)]
    return step


def kinds(steps: list[Step]) -> list[str]:
    """The names of the steps' kinds."""
    return [step.kind for step in steps]


def events(stack: Stack) -> list[Any]:
    """All events, in order of position."""
    return [recorded.event for recorded in stack.event_store.stream(ALL)]
