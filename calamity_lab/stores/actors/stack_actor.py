"""One actor around a whole stack: commands are carried out one after another."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from threading import Lock
from types import TracebackType
from typing import Any, NamedTuple, Self

from calamity_lab.errors import CalamityError, StoreError, StoreUnavailable, TooManyConflicts
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.event_store import InMemoryEventStore, NotCopied
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.protocol import PAUSES, ActorDied, Actors
from calamity_lab.stores.actors.threads import ThreadActors


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
    """

    def __init__(self, stack: Stack, keep: Callable[[Stack], None]) -> None:
        self._stack = stack
        self._keep = keep
        self._is_behind = False

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
        try:
            self._catch_up()
            recorded = self._already_recorded(command, submission) if submission.is_retry else ()
            return DispatchResult(recorded) if recorded else self._run(self._start_run(command, submission))
        except (StoreError, TooManyConflicts) as error:
            # What was recorded by then may have left commands outstanding: the next call begins with them.
            self._is_behind = not isinstance(self._stack.event_store, InMemoryEventStore)
            return DispatchResult((), error)
        except CalamityError as error:
            return DispatchResult((), error)

    def read(self) -> Stack:
        """The stack as it is now."""
        return self._stack

    def close(self) -> None:
        """Close the event store, if it can be."""
        close = getattr(self._stack.event_store, "close", None)
        if close is not None:
            close()

    def _catch_up(self) -> None:
        if self._is_behind:
            self._run(recover(self._stack))
            self._is_behind = False

    def _start_run(self, command: Any, submission: Submission) -> Run:
        if submission.command_id is not None:
            return Run(self._stack, Agenda([Pending(command, submission.command_id, submission.command_id)]))
        run = begin(self._stack, command)
        submission.command_id = run.agenda.pending[0].command_id
        return run

    def _already_recorded(self, command: Any, submission: Submission) -> tuple[RecordedEvent, ...]:
        """All that was recorded because of a command that an earlier actor may have carried out."""
        stream = self._stack.event_store.stream(ask.target(command).stream_id)
        own = next((r.position for r in stream if r.causation_id == submission.command_id), None)
        if own is None:
            return ()
        history = self._stack.event_store.stream(ALL, start_version=own)
        return tuple([r for r in history if r.correlation_id == submission.command_id])

    def _run(self, run: Run) -> DispatchResult:
        recorded: list[RecordedEvent] = []
        while not run.idle:
            step, run = advance(run)
            if step.rejected is not None and step.pending.sender is None:
                return DispatchResult((), step.rejected)
            recorded += step.recorded
        self._stack = run.stack
        self._keep(run.stack)
        return DispatchResult(tuple(recorded))


class BaseStackActor(NotCopied):
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
        result: DispatchResult = self._ask(submission, "dispatch", command, submission)
        if result.error is not None:
            raise result.error
        return result.recorded

    def close(self) -> None:
        """Stop the actor, after the commands that it was sent."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
