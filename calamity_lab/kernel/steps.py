"""The facts of a run: what happened at each advance. A step is never called an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent


@dataclass(frozen=True, slots=True)
class Step:
    """The smallest thing that can happen, told as a fact.

    ``index`` counts the steps of a run from 1; ``pending`` is the command that it belongs to.
    """

    index: int
    pending: Pending

    @property
    def command(self) -> Any:
        """The command that the step belongs to."""
        return self.pending.command

    @property
    def depth(self) -> int:
        """How many commands stand above it in the chain of causes."""
        return self.pending.depth

    @property
    def cause(self) -> RecordedEvent | None:
        """The event that made a process manager send the command; None for a submitted command."""
        return self.pending.cause

    @property
    def kind(self) -> str:
        """The name of the step's kind."""
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class AtAggregate(Step):
    """A step that concerns the command's aggregate."""

    identity: Identity


@dataclass(frozen=True, slots=True)
class Dispatched(AtAggregate):
    """The command was taken from the agenda, and its aggregate is known."""


@dataclass(frozen=True, slots=True)
class Populated(AtAggregate):
    """The aggregate (or a process manager) was caught up with ``count`` events from the event store."""

    count: int


@dataclass(frozen=True, slots=True)
class Executed(AtAggregate):
    """The aggregate decided ``events``; ``states`` holds its state after each, ``before`` the one it had."""

    events: tuple[Any, ...]
    states: tuple[Any, ...]
    before: Any


@dataclass(frozen=True, slots=True)
class Refused(AtAggregate):
    """The aggregate refused the command; nothing was appended and nothing changed."""

    rejected: Rejected

    @property
    def reason(self) -> str:
        """Why it was refused."""
        return self.rejected.reason


@dataclass(frozen=True, slots=True)
class Appended(AtAggregate):
    """The events were recorded at the end of the aggregate's stream."""

    recorded: tuple[RecordedEvent, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """Where they stand among all events."""
        return tuple(event.position for event in self.recorded)

    @property
    def versions(self) -> tuple[int, ...]:
        """Where they stand in their stream."""
        return tuple(event.stream_version for event in self.recorded)


@dataclass(frozen=True, slots=True)
class Conflicted(AtAggregate):
    """Another writer came first: the stream was at ``actual``. The aggregate is rebuilt, and asked again."""

    expected: Any
    actual: int
    attempt: int


@dataclass(frozen=True, slots=True)
class AtProcessManager(Step):
    """What a process manager instance made of an event, or of a refusal.

    ``trigger`` is the recorded event or the `Rejected`; ``before`` and ``after`` are the instance's states
    (None where there is none), ``commands`` what it put on the agenda.
    """

    identity: Identity
    trigger: RecordedEvent | Rejected
    before: Any
    after: Any
    commands: tuple[Pending, ...] = ()


@dataclass(frozen=True, slots=True)
class Started(AtProcessManager):
    """The event started the instance."""


@dataclass(frozen=True, slots=True)
class Continued(AtProcessManager):
    """The event (or the refusal of a command that it had sent) continued the instance."""


@dataclass(frozen=True, slots=True)
class Stopped(AtProcessManager):
    """The event ended the instance."""


@dataclass(frozen=True, slots=True)
class Ignored(AtProcessManager):
    """The instance that the event continues or stops is not there; nothing happened."""


@dataclass(frozen=True, slots=True)
class Completed(Step):
    """The command is done; what it caused is on the agenda."""
