"""The facts of a run: what happened at each advance. A step is never called an event."""

from __future__ import annotations

from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.frozen import frozen
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent


@frozen
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


@frozen
class AtAggregate(Step):
    """A step that concerns the command's aggregate."""

    identity: Identity


@frozen
class Dispatched(AtAggregate):
    """The command was taken from the agenda, and its aggregate is known."""


@frozen
class Populated(AtAggregate):
    """The aggregate was caught up with ``count`` events of its stream.

    Or a process manager type was, with events of the whole event store that it had not been shown;
    ``identity`` is then the instance that made it matter, and ``count`` what its instances took in.
    """

    count: int


@frozen
class Executed(AtAggregate):
    """The aggregate decided ``events``; ``states`` holds its state after each, ``before`` the one it had."""

    events: tuple[Any, ...]
    states: tuple[Any, ...]
    before: Any


@frozen
class Refused(AtAggregate):
    """The aggregate refused the command; nothing was appended and nothing changed."""

    rejected: Rejected

    @property
    def reason(self) -> str:
        """Why it was refused."""
        return self.rejected.reason


@frozen
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


@frozen
class Conflicted(AtAggregate):
    """Another writer came first: the stream was at ``actual``. The aggregate is rebuilt, and asked again."""

    expected: Any
    actual: int
    attempt: int


@frozen
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


@frozen
class Started(AtProcessManager):
    """The event started the instance."""


@frozen
class Continued(AtProcessManager):
    """The event (or the refusal of a command that it had sent) continued the instance."""


@frozen
class Stopped(AtProcessManager):
    """The event ended the instance."""


@frozen
class Ignored(AtProcessManager):
    """The instance that the event continues or stops is not there; nothing happened."""


@frozen
class Completed(Step):
    """The command is done; what it caused is on the agenda."""
