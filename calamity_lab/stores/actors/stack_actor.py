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
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended, Refused
from calamity_lab.stores.actors.protocol import PAUSES, ActorDied, Actors
from calamity_lab.stores.actors.threads import ThreadActors


class Carried(NamedTuple):
    """What came of a command: all that was recorded, or the error that ended it."""

    recorded: tuple[RecordedEvent, ...]
    error: Exception | None = None


class Ticket:
    """Goes with a command, so that it is carried out once: its id, and whether it was sent before.

    Without an id it gets the next of the stack's own.
    """

    __slots__ = ("again", "command_id")

    def __init__(self, command_id: str | None = None) -> None:
        self.command_id = command_id
        self.again = False


class HeldStack:
    """A stack that changes in place: each command is carried out, with all that it causes, before the next.

    ``keep`` is called with the stack after each, so that it outlives the actor. Where the model or a store
    breaks, the stack stays as it was before the command, and what was recorded by then stays recorded. Where
    it was the store, what that left owed is carried out before the next command.
    """

    def __init__(self, stack: Stack, keep: Callable[[Stack], None]) -> None:
        self._stack = stack
        self._keep = keep
        self._after_others = False

    @classmethod
    def after_others(cls, stack: Stack, keep: Callable[[Stack], None]) -> HeldStack:
        """A stack whose history others may have written, as an actor that died: it is taken up first.

        That is: what was recorded, and the commands that are owed. A history that is part of the stack itself
        has nothing that the stack does not know.
        """
        held = cls(stack, keep)
        held._after_others = not isinstance(stack.event_store, InMemoryEventStore)
        return held

    def dispatch(self, command: Any, ticket: Ticket) -> Carried:
        """Carry out the command and all that it causes, unless that was done before."""
        try:
            self._take_up()
            recorded = self._recorded_before(command, ticket) if ticket.again else ()
            return Carried(recorded) if recorded else self._carry_out(self._begun(command, ticket))
        except (StoreError, TooManyConflicts) as error:
            # What was recorded by then may have left commands owed, which the next call takes up first.
            self._after_others = not isinstance(self._stack.event_store, InMemoryEventStore)
            return Carried((), error)
        except CalamityError as error:
            return Carried((), error)

    def read(self) -> Stack:
        """The stack as it is now."""
        return self._stack

    def close(self) -> None:
        """Close the event store, if it can be."""
        close = getattr(self._stack.event_store, "close", None)
        if close is not None:
            close()

    def _take_up(self) -> None:
        if self._after_others:
            self._carry_out(recover(self._stack))
            self._after_others = False

    def _begun(self, command: Any, ticket: Ticket) -> Run:
        if ticket.command_id is not None:
            return Run(self._stack, Agenda([Pending(command, ticket.command_id, ticket.command_id)]))
        run = begin(self._stack, command)
        ticket.command_id = run.agenda.pending[0].command_id
        return run

    def _recorded_before(self, command: Any, ticket: Ticket) -> tuple[RecordedEvent, ...]:
        """All that was recorded because of a command that an earlier actor may have carried out."""
        stream = self._stack.event_store.stream(ask.target(command).stream_id)
        own = next((r.position for r in stream if r.causation_id == ticket.command_id), None)
        if own is None:
            return ()
        history = self._stack.event_store.stream(ALL, start_version=own)
        return tuple([r for r in history if r.correlation_id == ticket.command_id])

    def _carry_out(self, run: Run) -> Carried:
        recorded: list[RecordedEvent] = []
        while not run.idle:
            step, run = advance(run)
            if isinstance(step, Refused) and step.pending.sender is None:
                return Carried((), step.rejected)
            if isinstance(step, Appended):
                recorded += step.recorded
        self._stack = run.stack
        self._keep(run.stack)
        return Carried(tuple(recorded))


class AroundAStack:
    """A stack in an actor that is started when it is first asked, and anew when it has died."""

    def __init__(self, actors: Actors) -> None:
        self._actors = actors
        self._reference: Any = None
        self._lock = Lock()

    def dispatch(self, command: Any) -> tuple[RecordedEvent, ...]:
        """All that was recorded because of the command, in order. Raises `Rejected` when it is refused.

        An actor that dies meanwhile is replaced, and the new one asked; what was recorded already is not
        recorded again.
        """
        ticket = self._ticket()
        carried: Carried = self._ask(ticket, "dispatch", command, ticket)
        if carried.error is not None:
            raise carried.error
        return carried.recorded

    def close(self) -> None:
        """End the actor, after the commands that it was sent."""
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

    def _ticket(self) -> Ticket:
        """What goes with a command."""
        return Ticket()

    def _ask(self, ticket: Ticket, method: str, *given: Any) -> Any:
        for pause in PAUSES:
            if pause:
                time.sleep(pause)
            try:
                return self._actors.ask(self._living(), method, *given)
            except ActorDied as died:
                ticket.again = ticket.command_id is not None
                cause = died
        raise StoreUnavailable(
            f"the stack could not be asked to {method}: {len(PAUSES)} actors died, one after the other "
            f"({cause}); see in the history how far that came; if the model ends its thread itself, that "
            "must go; else the same call may work later"
        ) from cause

    def _living(self) -> Any:
        with self._lock:
            if self._reference is None or not self._actors.is_alive(self._reference):
                self._reference = self._start()
            return self._reference


class StackActor(AroundAStack):
    """A stack in an actor: threads send it commands, which are carried out one after another.

    ::

        with StackActor(Stack(process_manager_types=[Transfer])) as bank:
            bank.dispatch(DepositFunds("alice", 100))

    An actor that died is started again: with the stack as it was after its last command, and where the event
    store is elsewhere, with what it recorded since and the commands that it owed.
    """

    def __init__(self, stack: Stack) -> None:
        self._threads = ThreadActors()
        super().__init__(self._threads)
        self._latest = stack
        self._reference = self._threads.start("stack", partial(HeldStack, stack, self._keep))

    @property
    def stack(self) -> Stack:
        """The stack as it is after all that was carried out so far; after `close`, the last."""
        if self._threads.closed:
            return self._latest
        stack: Stack = self._ask(Ticket(), "read")
        return stack

    def close(self) -> None:
        """End the actor, after the commands that it was sent."""
        self._threads.close()

    def __repr__(self) -> str:
        return f"StackActor({self._latest!r})"

    def _start(self) -> Any:
        return self._threads.start("stack", partial(HeldStack.after_others, self._latest, self._keep))

    def _keep(self, stack: Stack) -> None:
        self._latest = stack
