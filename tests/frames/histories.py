"""Histories for these tests: of any events, and of the example domains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stack import Stack
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Trace

START = datetime(2026, 1, 1, tzinfo=UTC)


def recorded(*events: Any, **metadata: Any) -> list[RecordedEvent]:
    """The events as recorded in one stream, one second apart, each caused by a command of its own."""
    return [
        RecordedEvent(
            event,
            type(event).__name__,
            f"e{n}",
            "Thing-1",
            n,
            n,
            "c1",
            f"c{n}",
            START + timedelta(seconds=n),
            {"command": "DoThing", **metadata},
        )
        for n, event in enumerate(events, 1)
    ]


def traced(commands: Iterable[Any], *managers: type, metadata: dict[str, Any] | None = None) -> Trace:
    """The trace of the commands and all that they cause."""
    stack = Stack(process_manager_types=managers, ids=seeded_ids(1), clock=ticking_clock())
    stepper = Stepper(stack, checked=False)
    stepper.submit(*commands, metadata=metadata)
    stepper.resume()
    return stepper.trace


@cache
def bank_day() -> Trace:
    """The trace of a day at the bank."""
    return traced(bank.story(), bank.Transfer)


@cache
def bank_traffic(count: int) -> Trace:
    """The trace of random traffic at the bank."""
    return traced(bank.random_commands(count), bank.Transfer)


@cache
def shop_week() -> Trace:
    """The trace of a week in the shop."""
    return traced(fulfilment.story(), fulfilment.OrderFulfilment, fulfilment.Replenishment)


def events_of(trace: Trace) -> Sequence[RecordedEvent]:
    """All recorded events of a trace."""
    return tuple(trace.index.events)
