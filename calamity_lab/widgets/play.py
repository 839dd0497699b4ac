"""Play: moves on that are put together, so that one answer shows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from calamity_lab.errors import InvalidValue
from calamity_lab.stepper import Stepper

MOST = 10
"""So many moves at most are put together."""

ENOUGH = 0.1
"""Seconds after which no further move is begun: who pauses must not have to wait."""

_PACES: Mapping[str, Callable[[Stepper], object]] = {
    "step_in": Stepper.step_in,
    "step_over": Stepper.step_over,
}


def play(stepper: Stepper, *, by: Any, times: Any) -> None:
    """Move on ``times`` times, by moments or by commands; fewer at the end, or where that takes long."""
    move = _PACES.get(by) if isinstance(by, str) else None
    if move is None:
        raise InvalidValue(f"play goes by one of {', '.join(_PACES)}; found {by!r}")
    if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= MOST:
        raise InvalidValue(f"play goes on 1 to {MOST} times before it answers; found {times!r}")
    end = monotonic() + ENOUGH
    for _ in range(times):
        if stepper.at_end:
            return
        move(stepper)
        if monotonic() > end:
            return
