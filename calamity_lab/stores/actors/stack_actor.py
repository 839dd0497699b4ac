"""One actor around a whole stack: commands are carried out one after another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

from calamity_lab.errors import (
    CalamityError,
    InvalidValue,
    StoreError,
    StoreUnavailable,
    TooManyConflicts,
    repr_of,
)
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Agenda, Failure
from calamity_lab.kernel.arguments import a_time, an_instance
from calamity_lab.kernel.event_store import Closable, InMemoryEventStore, NotCopied
from calamity_lab.kernel.outbox import is_durable
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import Meeting, advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.protocol import PAUSES, ActorDied, Actors
from calamity_lab.stores.actors.threads import ThreadActors

_log = logging.getLogger("calamity_lab")


class DispatchResult(NamedTuple):
    """What came of a command: all events that it caused, or the error that ended it."""

    recorded: tuple[RecordedEvent, ...]
    error: Exception | None = None


class Submission:
    """What goes with a command so that it is carried out once: its id, and whether it was sent before.

    A command without an id gets the next id of the stack.
    """

    __slots__ = ("command_id", "is_retry")

    def __init__(self, command_id: str | None = None) -> None:
        self.command_id = command_id
        self.is_retry = False


class StackInActor:
    """The stack that an actor holds: each command is carried out, with all that it causes, before the next.

    ``keep`` is called with the stack after each command, so that the stack outlives the actor. Where the
    model or a store raises an error, the stack stays as it was before the command, and what was recorded by
    then stays recorded. After an error of the store, the outstanding commands are carried out first.

    Over a store that keeps an outbox, a command that a process manager sent and whose callback raised is set
    aside; it is tried again with the next command.
    """

    def __init__(self, stack: Stack, keep: Callable[[Stack], None]) -> None:
        self._stack = stack
        self._keep = keep
        self._is_behind = False
        self._unfinished: Run | None = None
        self._failed: tuple[Failure, ...] = ()

    @classmethod
    def behind(cls, stack: Stack, keep: Callable[[Stack], None]) -> StackInActor:
        """A stack that may be behind its history, as after an actor that died: it catches up first.

        It reads the events that were recorded since, and carries out the outstanding commands. A history that
        is part of the stack itself has nothing that the stack does not know.
        """
        behind = cls(stack, keep)
        behind._is_behind = not isinstance(stack.event_store, InMemoryEventStore)
        return behind

    def dispatch(self, command: Any, submission: Submission) -> DispatchResult:
        """Carry out the command and all that it causes, unless that was done before."""
        return self._answer(lambda: self._dispatch(command, submission))

    def due(self, now: datetime) -> DispatchResult:
        """Meet the deadlines that are due at a time, each with all that it causes."""
        return self._answer(lambda: self._meet(now))

    def _answer(self, act: Callable[[], DispatchResult]) -> DispatchResult:
        try:
            self._catch_up()
            return act()
        except (StoreError, TooManyConflicts) as error:
            # What was recorded by then may have left commands outstanding: the next call begins with them.
            if is_durable(self._stack.event_store):
                self._is_behind = True
            elif not isinstance(self._stack.event_store, InMemoryEventStore):
                self._unfinished = error.run
            return DispatchResult((), error)
        except CalamityError as error:
            return DispatchResult((), error)

    def read(self) -> Stack:
        """The stack as it is now."""
        return self._stack

    def failed(self) -> tuple[Failure, ...]:
        """The commands that were set aside."""
        return self._failed

    def settle(self, command_id: str, reason: str | None, command: Any) -> None:
        """Drop a command that was set aside, for a reason, or replace it with another command."""
        run = Run(self._stack, Agenda((), self._failed))
        failure = _failure_of(command_id, self._failed)
        run = run.drop_failed(failure, reason) if reason is not None else run.replace_failed(failure, command)
        self._failed = run.failed
        self._run(run)

    def close(self) -> None:
        """Close the event store, if it can be."""
        close = getattr(self._stack.event_store, "close", None)
        if close is not None:
            close()

    def _catch_up(self) -> None:
        if self._is_behind:
            run = recover(self._stack)
            self._failed = run.failed
            self._run(run)
            self._is_behind = False
        elif self._unfinished is not None:
            self._run(self._unfinished)
            self._unfinished = None

    def _dispatch(self, command: Any, submission: Submission) -> DispatchResult:
        recorded = self._already_recorded(command, submission) if submission.is_retry else ()
        if recorded:
            return DispatchResult(recorded)
        run = self._start_run(command, submission)
        return self._run(run, submission.command_id)

    def _meet(self, now: datetime) -> DispatchResult:
        set_aside = [failure.pending.command_id for failure in self._failed if failure.pending is not None]
        meeting, recorded, error = Meeting(now, without=set_aside), list[RecordedEvent](), None
        while not (run := meeting.next(Run(self._stack, Agenda((), self._failed)))).idle:
            result = self._run(run)
            recorded += result.recorded
            error = error or result.error
        self._stack = run.stack
        self._keep(run.stack)
        return DispatchResult(tuple(recorded), error)

    def _start_run(self, command: Any, submission: Submission) -> Run:
        run = begin(self._stack, command)
        if submission.command_id is None:
            submission.command_id = run.agenda.pending[0].command_id
        command_id = submission.command_id
        pending = replace(run.agenda.pending[0], command_id=command_id, correlation_id=command_id)
        return Run(run.stack, Agenda([pending], self._failed)).retry()

    def _already_recorded(self, command: Any, submission: Submission) -> tuple[RecordedEvent, ...]:
        """All that was recorded because of a command that an earlier actor may have carried out."""
        stream = self._stack.event_store.stream(ask.target(command).stream_id)
        own = next((r.position for r in stream if r.causation_id == submission.command_id), None)
        if own is None:
            return ()
        history = self._stack.event_store.stream(ALL, start_version=own)
        return tuple([r for r in history if r.correlation_id == submission.command_id])

    def _run(self, run: Run, command_id: str | None = None) -> DispatchResult:
        """Advance a run until it is idle: the events of the command, or all; and the first failure."""
        recorded: list[RecordedEvent] = []
        before = self._failed
        while not run.idle:
            step, run = advance(run)
            if step.rejected is not None and step.pending.sender is None:
                return DispatchResult((), step.rejected)
            recorded += [
                event for event in step.recorded if command_id is None or event.correlation_id == command_id
            ]
        self._stack, self._failed = run.stack, run.failed
        self._keep(run.stack)
        known = {_name_of(failure) for failure in before}
        for failure in run.failed:
            if _name_of(failure) not in known:
                return DispatchResult(tuple(recorded), failure.error)
            _log.warning("tried again, and failed again: %s", failure.error)
        return DispatchResult(tuple(recorded))


def _recorded(result: DispatchResult) -> tuple[RecordedEvent, ...]:
    if result.error is not None:
        raise result.error
    return result.recorded


def _name_of(failure: Failure) -> Any:
    """What distinguishes a failure from others."""
    if failure.pending is None:
        return failure.process_manager, failure.position
    return failure.pending.command_id


def _failure_of(command_id: str, failed: tuple[Failure, ...]) -> Failure:
    for failure in failed:
        if failure.pending is not None and failure.pending.command_id == command_id:
            return failure
    raise InvalidValue(f"no command {repr_of(command_id)} was set aside; actor.failed lists those that were")


class BaseStackActor(NotCopied, Closable):
    """A stack in an actor, wherever the actor lives. A new actor takes over when it has died."""

    def __init__(self, actors: Actors) -> None:
        self._actors = actors
        self._reference: Any = None
        self._lock = Lock()

    def dispatch(self, command: Any) -> tuple[RecordedEvent, ...]:
        """All events that were recorded because of the command, in order. Raises `Rejected`.

        Where the actor dies meanwhile, a new actor is asked; nothing is recorded twice.
        """
        submission = self._submission()
        return _recorded(self._ask(submission, "dispatch", command, submission))

    def due(self, now: datetime) -> tuple[RecordedEvent, ...]:
        """All events that were recorded because of deadlines that are due at a time, in order.

        A clock that is a value jumps to when each is due. Where the actor dies meanwhile, a new actor is
        asked; each deadline is carried out once. What raised is set aside, and raised after the others.
        """
        return _recorded(self._ask(Submission(), "due", a_time("due(now)", now)))

    @property
    def failed(self) -> tuple[Failure, ...]:
        """The commands that were set aside because a callback raised; each is tried again with the next."""
        failed: tuple[Failure, ...] = self._ask(Submission(), "failed")
        return failed

    def drop_failed(self, command_id: str, reason: str) -> None:
        """Drop a command that was set aside, for good; the reason is kept."""
        self._ask(Submission(), "settle", command_id, reason, None)

    def replace_failed(self, command_id: str, command: Any) -> None:
        """Carry out another command in place of one that was set aside."""
        self._ask(Submission(), "settle", command_id, None, command)

    def _start(self) -> Any:
        """A reference to a new actor."""
        raise NotImplementedError

    def _submission(self) -> Submission:
        """What goes with a command, so that it is carried out once."""
        return Submission()

    def _ask(self, submission: Submission, method: str, *given: Any) -> Any:
        for pause in PAUSES:
            if pause:
                time.sleep(pause)
            try:
                return self._actors.ask(self._reference_alive(), method, *given)
            except ActorDied as died:
                submission.is_retry = submission.command_id is not None
                cause = died
        raise StoreUnavailable(
            f"the stack could not be asked to {method}: {len(PAUSES)} actors died, one after the other "
            f"({cause}). Look at the history to see how far it came. If the model ends its own thread, "
            "remove that; otherwise try the same call again later"
        ) from cause

    def _reference_alive(self) -> Any:
        with self._lock:
            if self._reference is None or not self._actors.is_alive(self._reference):
                self._reference = self._start()
            return self._reference


class StackActor(BaseStackActor):
    """A stack in an actor, in a thread of this process. Commands are carried out one after another.

    ::

        with StackActor(Stack(process_manager_types=[Transfer])) as bank:
            bank.dispatch(DepositFunds("alice", 100))

    When the actor has died, a new one begins with the stack after the last command. Where the event store
    lives outside the stack, the new actor first reads what was recorded since, and carries out the
    outstanding commands.
    """

    def __init__(self, stack: Stack) -> None:
        an_instance("StackActor(stack)", stack, Stack, "StackActor(Stack())")
        self._threads = ThreadActors()
        super().__init__(self._threads)
        self._latest = stack
        self._reference = self._threads.start("stack", partial(StackInActor, stack, self._keep))

    @property
    def stack(self) -> Stack:
        """The stack after all commands so far; after `close`, after the last command."""
        if self._threads.closed:
            return self._latest
        stack: Stack = self._ask(Submission(), "read")
        return stack

    def close(self) -> None:
        """Stop the actor, after the commands that it was sent."""
        self._threads.close()

    def __repr__(self) -> str:
        return f"StackActor({self._latest!r})"

    def _start(self) -> Any:
        return self._threads.start("stack", partial(StackInActor.behind, self._latest, self._keep))

    def _keep(self, stack: Stack) -> None:
        self._latest = stack
