"""Where each step leads on a recorded run, so that nothing has to run to know it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from calamity_lab.kernel.steps import AtProcessManager, Completed
from calamity_lab.trace.trace import Trace


def over(trace: Trace, moments: Sequence[int]) -> list[int]:
    """From each of the moments, the one at which a step over ends: the next that completes a command."""
    completed = list(trace.index.completed)
    places = (bisect_right(completed, moment) for moment in moments)
    return [completed[place] if place < len(completed) else trace.last for place in places]


def out(trace: Trace, moments: Sequence[int]) -> list[int]:
    """From each of the moments, the one at which a step out ends: all that the command causes is done."""
    return [_out(trace, moment) for moment in moments]


def back_over(trace: Trace, moments: Sequence[int]) -> list[int]:
    """From each of the moments, the one before the command that is in progress there, or was done last."""
    return [max(trace.index.command_start(moment) - 1, 0) for moment in moments]


def _out(trace: Trace, moment: int) -> int:
    family: set[str] = set()
    open_ = 0
    for reached in trace.branch.moments.iterate(moment + 1):
        step = reached.step
        if step is None:
            break
        if not family:
            family, open_ = {step.pending.command_id}, 1
        if step.pending.command_id not in family:
            continue
        if isinstance(step, AtProcessManager):
            family.update(pending.command_id for pending in step.commands)
            open_ += len(step.commands)
        open_ -= isinstance(step, Completed)
        if not open_:
            return reached.index
    return trace.last
