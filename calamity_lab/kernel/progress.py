"""A run, and how far the command in progress has come.

Where the latest step says all that is needed to continue, that step is the progress; else it is one of the
values here. Every moment keeps its progress, so nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, get_args

from msgspec import structs

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.agenda import Agenda, Failure, Pending
from calamity_lab.kernel.arguments import a_list, a_text, an_instance, is_a, wrong
from calamity_lab.kernel.clocks_and_ids import derived_ids, draw
from calamity_lab.kernel.deadlines import NO_CHANGES, Changes
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.frozen import FrozenValue
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.outbox import Outcome, settled
from calamity_lab.kernel.recorded import NO_METADATA, RecordedEvent, of_submitted
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.steps import (
    Appended,
    AtProcessManager,
    Dispatched,
    Executed,
    Injected,
    Refused,
    Settled,
)


class Populating(NamedTuple):
    """In progress: the command's aggregate is to be caught up from its stream, and then to decide again."""

    pending: Pending
    identity: Identity
    attempt: int


class Executing(NamedTuple):
    """In progress: the aggregate was caught up and is to decide; ``attempt`` counts how often."""

    pending: Pending
    identity: Identity
    attempt: int


class Basis(NamedTuple):
    """On what an aggregate decided that takes a `Context` or records: the time, and its state before."""

    now: datetime
    before: Any


class Appending(FrozenValue, frozen=True, gc=False):
    """In progress: decided events are to be recorded; ``aggregates`` is the store with them applied.

    ``version`` is the one that they were decided on. It is kept from then on: a version store that lives
    outside the value may have gone on, and the append would no longer find out. The events are recorded with
    the time of the ``basis``, where there is one.
    """

    pending: Pending
    identity: Identity
    attempt: int
    events: tuple[Any, ...]
    aggregates: Any
    version: int
    basis: Basis | None = None


class Handling(NamedTuple):
    """In progress: recorded events go to process managers; next that at ``event`` to that at ``manager``."""

    pending: Pending
    recorded: tuple[RecordedEvent, ...]
    event: int
    manager: int


class Wait(NamedTuple):
    """Time is to pass: to the time ``until``, or to when the next deadline is due.

    ``wait_id`` stands for it in the run. With ``first``, the command id of a deadline, this one comes first
    on the agenda when it is due.
    """

    until: datetime | None
    wait_id: str
    first: str | None = None

    def __repr__(self) -> str:
        until = "for the next deadline" if self.until is None else f"until {self.until:%Y-%m-%d %H:%M:%S}"
        return f"Wait({until})"


class InstanceReaction(FrozenValue, frozen=True):
    """What one instance of a process manager made of an event: its states, and what it answers."""

    identity: Identity
    verb: Verb
    before: Any
    after: Any
    caused: tuple[Pending, ...]
    changes: Changes = NO_CHANGES


class Reacting(FrozenValue, frozen=True):
    """In progress: an event concerned several instances of a type, whose reactions are shown one by one.

    All of them have reacted; ``reactions`` are those that have no step yet. ``process_managers`` is the store
    after all of them, and ``left`` is what is to be handed on then.
    """

    pending: Pending
    trigger: RecordedEvent
    reactions: tuple[InstanceReaction, ...]
    process_managers: Any
    left: Handling | None = None


# After Dispatched the aggregate decides (or is caught up first, if the stack does not know it). After
# Appended the events are delivered from the first one, and after Refused the sender reacts. After an Executed
# without events, after the last reaction, and after an Injected that no command had, comes the end.
Progress = (
    Dispatched
    | Populating
    | Executing
    | Appending
    | Appended
    | Handling
    | Reacting
    | Refused
    | Settled
    | Executed
    | Injected
    | AtProcessManager
)


class Run(FrozenValue, frozen=True):
    """A stack, the agenda of pending commands, and how far the command in progress has come.

    ``length`` is the number of steps so far. ``faults`` are those that wait for the moment where they fit;
    see `calamity_lab.kernel.faults`. With ``wait`` the next `advance` lets time pass; see
    `calamity_lab.kernel.run.wait`.
    """

    stack: Stack
    agenda: Agenda = Agenda()
    progress: Progress | None = None
    length: int = 0
    faults: tuple[Any, ...] = ()
    wait: Wait | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is in progress, the agenda is empty, and no armed fault fits now.

        Deadlines may be set; ``run.stack.deadlines.first`` is the next.
        """
        if self.progress is not None or self.agenda or self.wait is not None:
            return False
        return not any(armed.fits(self) for armed in self.faults)

    def submit(
        self,
        *commands: Any,
        metadata: Mapping[str, Any] | None = None,
        command_ids: Sequence[str] = (),
        once: bool = False,
    ) -> Run:
        """The run with further commands at the end of its agenda; nothing happens yet.

        ``command_ids`` are ids that the commands had in an earlier run; else they are drawn. With ``once`` a
        command whose id was carried out before is not carried out again.
        """
        return self.submitted(*commands, metadata=metadata, command_ids=command_ids, once=once)[1]

    def submitted(
        self,
        *commands: Any,
        metadata: Mapping[str, Any] | None = None,
        command_ids: Sequence[str] = (),
        once: bool = False,
    ) -> tuple[Sequence[Pending], Run]:
        """The commands as they are pending, with their ids, and the run with them (see `submit`)."""
        check_run("submit()", self)
        stack = self.stack
        if type(command_ids) is not tuple or command_ids:
            command_ids = a_list("submit(command_ids)", command_ids, "['c1']", of=str)
            if command_ids and len(command_ids) != len(commands):
                raise wrong("submit(command_ids)", command_ids, "one id for each command")
        fresh, ids = draw(stack.ids, len(commands))  # drawn in any case, so that later ids stay the same
        known = NO_METADATA if metadata is None else of_submitted(metadata)
        pending = [
            Pending(command, id_, id_, 0, None, None, known, None, once)
            for command, id_ in zip(commands, command_ids or fresh, strict=True)
        ]
        if ids is not stack.ids:
            stack = changed(stack, ids=ids)
        agenda = self.agenda.submit(pending)
        return pending, Run(stack, agenda, self.progress, self.length, self.faults, self.wait)

    def choose(self, which: int | str | Pending | Any) -> Run:
        """The run in which that pending command comes next: by its index, its id, or the command itself."""
        check_run("choose()", self)
        return structs.replace(self, agenda=self.agenda.choose(which))

    def drop(self, which: int | str | Pending | Any) -> Run:
        """The run without that pending command: by its index, its id, or the command itself."""
        check_run("drop()", self)
        return structs.replace(self, agenda=self.agenda.drop(which))

    @property
    def failed(self) -> tuple[Failure, ...]:
        """The commands that were set aside because a callback raised; also for ``DataFrame(run.failed)``."""
        return self.agenda.failed

    def retry(self, failure: Failure | None = None) -> Run:
        """The run in which a command that was set aside is pending again; without an argument, all of them.

        A process manager that raised gets its event again when it is next handed one, or by `recover`.
        """
        check_run("retry()", self)
        if failure is not None:
            an_instance("retry(failure)", failure, Failure, "run.failed[0]")
        agenda = self.agenda
        for each in agenda.failed if failure is None else (failure,):
            agenda = agenda.without(each).submit(() if each.pending is None else (each.pending,))
        return structs.replace(self, agenda=agenda)

    def replace_failed(self, failure: Failure, command: Any) -> Run:
        """The run in which another command takes the place of one that was set aside, which is settled."""
        check_run("replace_failed()", self)
        pending = _set_aside(failure)
        fresh = derived_ids(pending.command_id, "replacement", 1)[0]
        instead = structs.replace(pending, command=command, command_id=fresh)
        return self._settle(failure, Outcome("replaced", f"by {type(command).__name__}"), (instead,))

    def drop_failed(self, failure: Failure, reason: str) -> Run:
        """The run without a command that was set aside. It is settled for good, and the reason is kept."""
        reason = a_text("drop_failed(reason)", reason, "'sent by mistake'")
        if not reason.strip():
            raise InvalidValue(
                f"drop_failed(reason={repr_of(reason)}): say in a text why the command is dropped"
            )
        return self._settle(failure, Outcome("dropped", reason))

    def _settle(self, failure: Failure, outcome: Outcome, instead: tuple[Pending, ...] = ()) -> Run:
        agenda = self.agenda.without(failure).submit(instead)
        stack = settled(self.stack, _set_aside(failure), outcome, instead)
        return structs.replace(self, stack=stack, agenda=agenda)


def _set_aside(failure: Failure) -> Pending:
    """The command that was set aside. Raises `InvalidValue` where a process manager was."""
    an_instance("failure", failure, Failure, "run.failed[0]")
    if failure.pending is None:
        raise InvalidValue(
            f"{failure.process_manager} raised at the event at position {failure.position}, which is no "
            "command. Mend its class; it gets the event again"
        )
    return failure.pending


def check_run(asked: str, given: Any) -> None:
    """Raise for what is no run, or for a run whose fields are not those of one."""
    if type(given) is not Run:
        an_instance(asked, given, Run, "begin(stack, command)")
    stack, agenda, progress = given.stack, given.agenda, given.progress
    faults, wait = given.faults, given.wait
    if type(stack) is Stack and type(agenda) is Agenda and is_a(progress, *_IN_PROGRESS):
        if type(faults) is not tuple:
            raise wrong("Run(faults)", faults, "arm(run, Crash())")
        if wait is not None and type(wait) is not Wait:
            raise wrong("Run(wait)", wait, "wait(run)")
        return
    an_instance("Run(stack)", stack, Stack, "Stack()")
    an_instance("Run(agenda)", agenda, Agenda, "Agenda()")
    raise wrong("Run(progress)", progress, "None, or the step in progress of another run")


_IN_PROGRESS = (type(None), *get_args(Progress))
