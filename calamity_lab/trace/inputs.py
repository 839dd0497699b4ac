"""The inputs of a run, put in from outside; the moments of a trace follow from them.

An input names commands by their ids, and says after which step of which command it was put (`AfterStep`). So
it means the same in a run that was decided again on changed classes. A new kind of input is one class that
follows the protocol `Input`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, Self

from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.clocks_and_ids import read
from calamity_lab.kernel.faults import Fault, arm, disarm
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.run import Run, wait
from calamity_lab.kernel.stack import changed
from calamity_lab.text import length_of_time, point_in_time


class Input(Protocol):
    """Something that is put into a run from outside."""

    def put(self, run: Run) -> tuple[Self, Run]:
        """The run with the input, and the input with the ids that it got, to put it into another run."""
        ...

    def described(self) -> str:
        """What was done, in words: "sent WithdrawFunds"."""
        ...


class AfterStep(NamedTuple):
    """When an input was put: after this number of steps of a command."""

    command_id: str
    steps: int


class Entry(NamedTuple):
    """An input of a branch: what was put, at which of its moments, and after which step.

    ``after`` is None for what was put before anything happened. ``before`` is the run without the input.
    """

    input: Input
    at: int
    after: AfterStep | None
    before: Run


@dataclass(frozen=True, slots=True)
class Submitted:
    """Commands were put on the agenda; ``command_ids`` are the ids that they have there."""

    commands: tuple[Any, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    command_ids: tuple[str, ...] = ()

    def put(self, run: Run) -> tuple[Submitted, Run]:
        """The run with the commands at the end of its agenda."""
        pending, after = run.submitted(*self.commands, metadata=self.metadata, command_ids=self.command_ids)
        return replace(self, command_ids=tuple([each.command_id for each in pending])), after

    def described(self) -> str:
        """Which commands were sent."""
        return f"sent {', '.join(stored_name(type(command)) for command in self.commands)}"


@dataclass(frozen=True, slots=True)
class Unplayed:
    """An input that a replay could not put in again; the next replay on other classes tries it again.

    ``after`` is when it was put on the branch that was replayed.
    """

    input: Input
    why: str
    after: AfterStep | None

    def put(self, run: Run) -> tuple[Unplayed, Run]:
        """The run as it is."""
        return self, run

    def described(self) -> str:
        """What was not done, and why."""
        return f"{self.input.described()}, which was not replayed: {self.why}"


@dataclass(frozen=True, slots=True)
class _OfPending:
    command_id: str
    command_type: str = ""

    @classmethod
    def of(cls, pending: Pending) -> Self:
        """This input for that pending command."""
        return cls(pending.command_id, pending.command_type)


class Chosen(_OfPending):
    """A pending command was moved to the front of the agenda."""

    __slots__ = ()

    def put(self, run: Run) -> tuple[Chosen, Run]:
        """The run with that command in front."""
        return self, run.choose(self.command_id)

    def described(self) -> str:
        """Which command was chosen."""
        return f"chose {self.command_type or self.command_id}"


class Dropped(_OfPending):
    """A pending command was taken off the agenda."""

    __slots__ = ()

    def put(self, run: Run) -> tuple[Dropped, Run]:
        """The run without that command."""
        return self, run.drop(self.command_id)

    def described(self) -> str:
        """Which command was dropped."""
        return f"dropped {self.command_type or self.command_id}"


@dataclass(frozen=True, slots=True)
class Armed:
    """A fault was armed: it is carried out at the next moment where it fits; ``fault_id`` is its id."""

    fault: Fault
    fault_id: str | None = None

    def put(self, run: Run) -> tuple[Armed, Run]:
        """The run with the fault behind those that are armed."""
        after = arm(run, self.fault, self.fault_id)
        return replace(self, fault_id=after.faults[-1].fault_id), after

    def described(self) -> str:
        """Which fault was armed."""
        return f"injected {self.fault!r}"


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A fault that was armed was taken back before it happened."""

    fault_id: str
    fault: Fault

    def put(self, run: Run) -> tuple[TakenBack, Run]:
        """The run without that fault."""
        return self, disarm(run, self.fault_id)

    def described(self) -> str:
        """Which fault was taken back."""
        return f"took {self.fault!r} back"


@dataclass(frozen=True, slots=True)
class Waited:
    """Time was let pass: to a time, for a while, or to the next deadline; ``wait_id`` is the id of that."""

    to: datetime | timedelta | None = None
    wait_id: str | None = None

    def put(self, run: Run) -> tuple[Waited, Run]:
        """The run in which time passes at the next step; a time that is past by now is now."""
        to = self.to
        if isinstance(to, datetime) and self.wait_id is not None:
            to = max(to, read(run.stack.clock)[0])
        after = wait(run, to, wait_id=self.wait_id)
        assert after.wait is not None, "the run waits"
        return replace(self, wait_id=after.wait.wait_id), after

    def described(self) -> str:
        """For how long, or for what."""
        if self.to is None:
            return "waited for the next deadline"
        if isinstance(self.to, datetime):
            return f"waited until {point_in_time(self.to)}"
        return f"waited {length_of_time(self.to)}"


def own_id(put: Input) -> str | None:
    """The id of an input that is a step of its own: of a fault that was armed, or of a wait."""
    if isinstance(put, Armed):
        return put.fault_id
    return put.wait_id if isinstance(put, Waited) else None


@dataclass(frozen=True, slots=True)
class IdsApart:
    """From here on, ids are drawn from a series of their own, which has a name."""

    name: str

    def put(self, run: Run) -> tuple[IdsApart, Run]:
        """The run with that source, where its source of ids can give one."""
        ids = getattr(run.stack.ids, "apart", None)
        return self, run if ids is None else replace(run, stack=changed(run.stack, ids=ids(self.name)))

    def described(self) -> str:
        """What was begun."""
        return "began a new series of ids"
