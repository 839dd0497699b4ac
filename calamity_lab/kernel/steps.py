"""The facts of a run: what happened at each advance. A step is never called an event.

A step says what it is, so that a view need not know its class. Whatever a view shows of *any* step, it reads
from the attributes of `Step`, which every kind of step answers::

    step.tone         # "accepted", "rejected", "conflict", "reaction", ...: picks the colour
    step.verb         # a word for people: "dispatched", "accepted", "caught up", ...
    step.subject      # the Identity that it concerns, or None; step.stream_id is its text
    step.event_types  # the names of the events that it decided, recorded or reacted to
    step.recorded     # the RecordedEvents that it appended, and step.positions
    step.commands     # the commands that it put on the agenda
    step.deadlines    # the deadlines that it set, and step.taken_off those that it took off
    step.begins, step.decides, step.ends  # the command was taken up, accepted or rejected, completed

So a new kind of step is a class here and the function of the kernel that makes it; the views show it at once.
Ask for the class (``isinstance(step, Executed)``) only where a view shows what one kind alone has.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from calamity_lab.errors import Rejected
from calamity_lab.kernel.agenda import Failure, Pending
from calamity_lab.kernel.frozen import FrozenValue
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.recorded import RecordedEvent

Tone = Literal["neutral", "accepted", "rejected", "conflict", "reaction", "injected", "time"]


class Step(FrozenValue, frozen=True):
    """A step of a run: the smallest change that `advance` makes, as a fact.

    ``index`` counts the steps of a run from 1; ``pending`` is the command that the step belongs to.
    """

    index: int
    pending: Pending

    # How the step is shown: "accepted" and "rejected" are what an aggregate decided, "conflict" is another
    # writer who came first, "reaction" is what a process manager did, "injected" is a fault that a person
    # armed, "time" is time that passed; all else is "neutral".
    tone: ClassVar[Tone] = "neutral"
    verb: ClassVar[str] = "done"
    # Whether the command was taken up at this step, was accepted or rejected, is completed.
    begins: ClassVar[bool] = False
    decides: ClassVar[bool] = False
    ends: ClassVar[bool] = False
    # Whether the subject is a process manager instance; else it is an aggregate.
    at_process_manager: ClassVar[bool] = False
    # Whether a fault made the step, and no part of the model: what it records, another writer recorded.
    is_injected: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """The name of the step's kind."""
        return type(self).__name__

    @property
    def command(self) -> Any:
        """The command that the step belongs to."""
        return self.pending.command

    @property
    def depth(self) -> int:
        """The number of commands above it in the chain of causes."""
        return self.pending.depth

    @property
    def cause(self) -> RecordedEvent | None:
        """The event that made a process manager send the command; None for a submitted command."""
        return self.pending.cause

    @property
    def subject(self) -> Identity | None:
        """The aggregate or process manager instance that the step concerns; None where it concerns none."""
        return None

    @property
    def stream_id(self) -> str | None:
        """The stream id of the subject; None where there is none."""
        return None if self.subject is None else self.subject.stream_id

    @property
    def before(self) -> Any:
        """The subject's state before the step, where the step changed or could have changed it."""
        return None

    @property
    def after(self) -> Any:
        """The subject's state after the step, where the step changed or could have changed it."""
        return None

    @property
    def recorded(self) -> tuple[RecordedEvent, ...]:
        """The events that were recorded at this step."""
        return ()

    @property
    def positions(self) -> tuple[int, ...]:
        """The positions of the recorded events among all events."""
        return tuple([event.position for event in self.recorded])

    @property
    def event_types(self) -> tuple[str, ...]:
        """The names of the events that the step decided, recorded or reacted to."""
        return ()

    @property
    def trigger(self) -> RecordedEvent | Rejected | None:
        """What a process manager reacted to: a recorded event, or the rejection of a command that it sent."""
        return None

    @property
    def commands(self) -> tuple[Pending, ...]:
        """The commands that the step put on the agenda."""
        return ()

    @property
    def deadlines(self) -> tuple[Pending, ...]:
        """The deadlines that were set at this step."""
        return ()

    @property
    def taken_off(self) -> tuple[Pending, ...]:
        """The deadlines that were taken off here: cancelled, replaced, or gone with their instance."""
        return ()

    @property
    def rejected(self) -> Rejected | None:
        """The rejection, where the command was rejected at this step."""
        return None

    @property
    def reason(self) -> str | None:
        """The reason of the rejection, where the command was rejected at this step."""
        return None if self.rejected is None else self.rejected.reason


class AtAggregate(Step, frozen=True):
    """A step that concerns the command's aggregate."""

    identity: Identity

    @property
    def subject(self) -> Identity:
        """The command's aggregate."""
        return self.identity


class Dispatched(AtAggregate, frozen=True, gc=False):
    """The command was taken from the agenda, and its aggregate is known."""

    verb = "dispatched"
    begins = True


class Populated(AtAggregate, frozen=True, gc=False):
    """The aggregate was caught up with ``count`` events of its stream."""

    count: int

    verb = "caught up"


class Executed(AtAggregate, frozen=True, gc=False):
    """The aggregate decided ``events``; ``states`` holds its state after each, ``before`` the one it had."""

    events: tuple[Any, ...]
    states: tuple[Any, ...]
    before: Any

    tone = "accepted"
    verb = "accepted"
    decides = True

    @property
    def after(self) -> Any:
        """The state after the last event."""
        return self.states[-1] if self.states else self.before

    @property
    def event_types(self) -> tuple[str, ...]:
        """The names of the decided events."""
        return tuple([stored_name(type(event)) for event in self.events])


class Refused(AtAggregate, frozen=True):
    """The aggregate rejected the command; nothing was appended and nothing changed."""

    rejected: Rejected

    tone = "rejected"
    verb = "rejected"
    decides = True


class Appended(AtAggregate, frozen=True, gc=False):
    """The events were recorded at the end of the aggregate's stream.

    ``states`` are the aggregate's after each, where its ``apply`` takes the record, which it has in full only
    now; else they are those of `Executed`.
    """

    recorded: tuple[RecordedEvent, ...]
    states: tuple[Any, ...] = ()

    tone = "accepted"
    verb = "recorded"

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions of the events in their stream."""
        return tuple([event.stream_version for event in self.recorded])

    @property
    def event_types(self) -> tuple[str, ...]:
        """The names of the recorded events."""
        return tuple([event.event_type for event in self.recorded])


class Conflicted(AtAggregate, frozen=True):
    """Another writer came first: the stream was at ``actual``. The aggregate is rebuilt, and asked again."""

    expected: Any
    actual: int
    attempt: int

    tone = "conflict"
    verb = "tried again"


class AtProcessManager(Step, frozen=True):
    """What a process manager instance made of an event, or of a rejection.

    ``trigger`` is the recorded event or the `Rejected`; ``before`` and ``after`` are the instance's states
    (None where there is none), ``commands`` what it put on the agenda. ``deadlines`` are those that it set,
    ``taken_off`` those that it cancelled, replaced, or left behind when it stopped, and ``not_there`` the
    names of those that it cancelled though there were none.
    """

    identity: Identity
    trigger: RecordedEvent | Rejected
    before: Any
    after: Any
    commands: tuple[Pending, ...] = ()
    deadlines: tuple[Pending, ...] = ()
    taken_off: tuple[Pending, ...] = ()
    not_there: tuple[str, ...] = ()

    tone: ClassVar[Tone] = "reaction"
    at_process_manager = True

    @property
    def subject(self) -> Identity:
        """The process manager instance."""
        return self.identity

    @property
    def event_types(self) -> tuple[str, ...]:
        """The name of the event that the instance reacted to."""
        return (self.trigger.event_type,) if isinstance(self.trigger, RecordedEvent) else ()


class CaughtUp(Step, frozen=True):
    """A process manager type got the events that it had missed, before it gets the next one.

    ``count`` is how many of them its instances took in, ``position`` up to where it knows the history now.
    ``identity`` is the instance that the next event concerns. ``commands`` are those that instances sent for
    events which nobody had handed on, ``deadlines`` those that they set for these, and ``taken_off`` those
    that they took off. ``rejections`` is how many rejections of other processes they took in.
    """

    identity: Identity
    count: int
    position: int
    commands: tuple[Pending, ...] = ()
    deadlines: tuple[Pending, ...] = ()
    taken_off: tuple[Pending, ...] = ()
    rejections: int = 0

    verb = "caught up"
    at_process_manager = True

    @property
    def subject(self) -> Identity:
        """The instance that the next event concerns."""
        return self.identity


class Started(AtProcessManager, frozen=True, gc=False):
    """The event started the instance."""

    verb = "started"


class Continued(AtProcessManager, frozen=True):
    """The event (or the rejection of a command that it had sent) continued the instance."""

    verb = "continued"


class Stopped(AtProcessManager, frozen=True, gc=False):
    """The event ended the instance."""

    verb = "stopped"


class Answered(AtProcessManager, frozen=True, gc=False):
    """A policy answered the event. It keeps nothing, so that there is no instance before or after."""

    verb = "answered"


class Ignored(AtProcessManager, frozen=True):
    """The instance that the event continues or stops is not there; nothing happened."""

    tone = "neutral"
    verb = "ignored"


class Settled(Step, frozen=True):
    """The command was settled before, here or by another process: it is not carried out again.

    ``outcome`` says what it came to.
    """

    outcome: Any

    tone = "conflict"
    verb = "settled before"

    @property
    def rejected(self) -> Rejected | None:
        """The rejection, where the command was rejected before."""
        rejected: Rejected | None = self.outcome.rejected
        return rejected


class Failed(Step, frozen=True):
    """A callback raised. The command stays in the outbox, and the run goes on without it.

    ``failure`` has the error. Where a process manager raised, it gets the event again later.
    """

    failure: Failure

    tone = "rejected"
    verb = "failed"

    @property
    def ends(self) -> bool:  # type: ignore[override]
        """Whether the command is done with here; an event goes on to the other process managers."""
        return self.failure.pending is not None


class Injected(Step, frozen=True):
    """A fault was carried out that a person had armed: ``fault``, with its id.

    ``identity`` is the aggregate that it concerns, or the process manager instance whose command is lost.
    ``recorded`` is what another writer recorded, and ``lost`` are the commands that will not be carried out.
    """

    fault: Any
    fault_id: str
    identity: Identity | None = None
    recorded: tuple[RecordedEvent, ...] = ()
    lost: tuple[Pending, ...] = ()

    tone = "injected"
    verb = "injected"
    is_injected = True

    @property
    def begins(self) -> bool:  # type: ignore[override]
        """Whether the fault stands for itself, because no command was in progress."""
        return self.pending.command_id == self.fault_id

    @property
    def at_process_manager(self) -> bool:  # type: ignore[override]
        """Whether the fault concerns a process manager instance."""
        return any(each.sender == self.identity for each in self.lost)

    @property
    def subject(self) -> Identity | None:
        """The aggregate or the instance that the fault concerns."""
        return self.identity

    @property
    def event_types(self) -> tuple[str, ...]:
        """The names of the events that another writer recorded."""
        return tuple([event.event_type for event in self.recorded])


class Elapsed(Step, frozen=True):
    """Time passed, because somebody asked for it: from ``since`` to ``now``.

    ``commands`` are the deadlines that are due by then; they are on the agenda. The step belongs to no
    command: it stands for itself.
    """

    since: datetime
    now: datetime
    commands: tuple[Pending, ...] = ()

    tone = "time"
    verb = "time passed"
    begins = True
    ends = True


class Completed(Step, frozen=True, gc=False):
    """The command is done; what it caused is on the agenda."""

    verb = "completed"
    ends = True
