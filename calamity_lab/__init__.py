"""A laboratory for event sourcing: define a system in a notebook, step through it, break it, understand it.

Each name loads its module when it is first used, so that ``import calamity_lab`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from calamity_lab.kernel import lazily

if TYPE_CHECKING:
    from calamity_lab.errors import CalamityError, Rejected, WrongExpectedVersion
    from calamity_lab.frames import History
    from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
    from calamity_lab.kernel.event_store import InMemoryEventStore
    from calamity_lab.kernel.faults import ClockJump, ConcurrentWriter, Crash, Lose, Redeliver
    from calamity_lab.kernel.from_functions import Decider, policy
    from calamity_lab.kernel.identity import Identity
    from calamity_lab.kernel.messages import After, At, Cancel, Continue, Start, Stop, command
    from calamity_lab.kernel.protocols import (
        ALL,
        ANY,
        BACKWARDS,
        FORWARDS,
        NO_STREAM,
        STREAM_EXISTS,
        Aggregate,
        AggregateStore,
        Category,
        Command,
        EventStore,
        ProcessManager,
        ProcessManagerStore,
        Projection,
        VersionStore,
    )
    from calamity_lab.kernel.recorded import RecordedEvent
    from calamity_lab.kernel.run import Run, advance, begin, choices, dispatch, due, elapse
    from calamity_lab.kernel.second_arguments import Context
    from calamity_lab.kernel.stack import Stack
    from calamity_lab.lab.lab import Lab, explore

__version__ = "0.1.0"

_HOMES = {
    "errors": "CalamityError Rejected WrongExpectedVersion",
    "frames": "History",
    "kernel.event_store": "InMemoryEventStore",
    "kernel.faults": "ClockJump ConcurrentWriter Crash Lose Redeliver",
    "kernel.from_functions": "Decider policy",
    "kernel.identity": "Identity",
    "kernel.messages": "After At Cancel Continue Start Stop command",
    "kernel.protocols": (
        "ALL ANY BACKWARDS FORWARDS NO_STREAM STREAM_EXISTS "
        "Aggregate AggregateStore Category Command EventStore ProcessManager ProcessManagerStore Projection "
        "VersionStore"
    ),
    "kernel.recorded": "RecordedEvent",
    "kernel.run": "Run advance begin choices dispatch due elapse",
    "kernel.second_arguments": "Context",
    "kernel.clocks_and_ids": "seeded_ids ticking_clock",
    "kernel.stack": "Stack",
    "lab.lab": "Lab explore",
}

__all__ = [
    "ALL",
    "ANY",
    "BACKWARDS",
    "FORWARDS",
    "NO_STREAM",
    "STREAM_EXISTS",
    "After",
    "Aggregate",
    "AggregateStore",
    "At",
    "CalamityError",
    "Cancel",
    "Category",
    "ClockJump",
    "Command",
    "ConcurrentWriter",
    "Context",
    "Continue",
    "Crash",
    "Decider",
    "EventStore",
    "History",
    "Identity",
    "InMemoryEventStore",
    "Lab",
    "Lose",
    "ProcessManager",
    "ProcessManagerStore",
    "Projection",
    "RecordedEvent",
    "Redeliver",
    "Rejected",
    "Run",
    "Stack",
    "Start",
    "Stop",
    "VersionStore",
    "WrongExpectedVersion",
    "advance",
    "begin",
    "choices",
    "command",
    "dispatch",
    "due",
    "elapse",
    "explore",
    "policy",
    "seeded_ids",
    "ticking_clock",
]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def load_ipython_extension(ipython: Any) -> None:
    """Add the magics to a notebook; ``%load_ext calamity_lab`` calls this."""
    import_module("calamity_lab.lab.magics").register(ipython)
