"""The moment that a test means, by an event, a command or a step instead of by a number."""

from __future__ import annotations

from typing import Any

from calamity_lab.kernel.steps import Step


def after(run: Any, what: str | type, nth: int = 1) -> int:
    """The index of the moment right after an event was recorded, a command dispatched, or a step taken.

    `run` is a lab, a stepper or a trace. `what` is the name of an event type, a command type or a kind of
    step, or the class itself: ``after(lab, "FundsWithdrawn")``, ``after(lab, "Refused", 2)``, and -1 for the
    last.
    """
    name = what if isinstance(what, str) else what.__name__
    trace = getattr(run, "trace", run)
    found = [index for index in range(1, len(trace)) if name in _names(trace[index].step)]
    if not 0 < abs(nth) <= len(found):
        known = sorted({each for index in range(1, len(trace)) for each in _names(trace[index].step)})
        raise AssertionError(f"{name} number {nth} is not in this run; found {len(found)} of it, and {known}")
    return found[nth - 1 if nth > 0 else nth]


def before(run: Any, what: str | type, nth: int = 1) -> int:
    """The index of the moment right before; see `after`."""
    return after(run, what, nth) - 1


def _names(step: Step | None) -> set[str]:
    if step is None:
        return set()
    events = {recorded.event_type for recorded in getattr(step, "recorded", ())}
    commands = {step.pending.command_type} if step.kind == "Dispatched" else set()
    return {step.kind, *events, *commands}
