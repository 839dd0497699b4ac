"""Runs driven to their end, with the commands taken in any order."""

from collections.abc import Iterator, Sequence
from itertools import cycle

from calamity_lab.kernel.run import Run, advance
from calamity_lab.kernel.steps import Step


def moments(run: Run, picks: Sequence[int] = (0,)) -> Iterator[tuple[Step, Run]]:
    """Every step of the run, and the run after it; before each command the next pick says which one goes."""
    pick = cycle(picks)
    while not run.idle:
        # The first is next anyway; to choose it would cost a copy of the agenda each time.
        if run.progress is None and (chosen := next(pick) % len(run.agenda)):
            run = run.choose(chosen)
        step, run = advance(run)
        yield step, run


def finished(run: Run, picks: Sequence[int] = (0,)) -> Run:
    """The run when nothing is left to do."""
    runs = [after for _, after in moments(run, picks)]
    return runs[-1] if runs else run
