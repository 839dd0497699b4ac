"""What an actor around a whole stack does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from calamity_lab.errors import CalamityError, StoreError, TooManyConflicts
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended, Refused


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
        stream = self._stack.event_store.stream(callbacks.target(command).stream_id)
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
