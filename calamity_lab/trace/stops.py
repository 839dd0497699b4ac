"""When to stop: one loop goes forward, and conditions say where it ends.

A condition is called with each new moment, in order, and answers whether to stop there. So each way to step
is the same loop with another condition, and a breakpoint is one condition more::

    stepper.go(ends_command)                      # step over
    stepper.go(ends_command, Times(100))          # ... but no more than 100 steps
    stepper.go(lambda moment: moment.step.reason == "insufficient funds")
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from calamity_lab.trace.trace import Moment

Condition = Callable[[Moment], bool]


def always(moment: Moment) -> bool:
    """After one step."""
    return True


def ends_command(moment: Moment) -> bool:
    """Where a command is completed."""
    return moment.step is not None and moment.step.ends


class Times:
    """After so many steps."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, moment: Moment) -> bool:
        """Whether that was the last of the steps."""
        self._left -= 1
        return self._left <= 0


class Elapsed:
    """After so many seconds, counted from now."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def __call__(self, moment: Moment) -> bool:
        """Whether the seconds have passed."""
        return monotonic() >= self._end


class EndsCascade:
    """Where the command of the first step is completed, with all the commands that it caused."""

    def __init__(self) -> None:
        self._cascade: set[str] = set()
        self._open = 0

    def __call__(self, moment: Moment) -> bool:
        """Whether the last open command of the cascade was completed."""
        step = moment.step
        if step is None:
            return False
        if not self._cascade:
            self._cascade, self._open = {step.pending.command_id}, 1
        if step.pending.command_id in self._cascade:
            self._cascade.update(pending.command_id for pending in step.commands)
            self._open += len(step.commands) - step.ends
        return not self._open
