"""What an actor around a whole stack does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from calamity_lab.errors import CalamityError
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
    """Tells whether an actor has begun with a command: if not, another may be asked when it dies."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        self.begun = False


class HeldStack:
    """A stack that changes in place: each command is carried out, with all that it causes, before the next.

    ``keep`` is called with the stack after each, so that it outlives the actor. Where the model or a store
    breaks, the stack stays as it was before the command, and what was recorded by then stays recorded.
    """

    def __init__(self, stack: Stack, keep: Callable[[Stack], None]) -> None:
        self._stack = stack
        self._keep = keep
        self._after_a_death = False

    @classmethod
    def after_a_death(cls, stack: Stack, keep: Callable[[Stack], None]) -> HeldStack:
        """The stack of an actor that died: first, what that one recorded is taken up, and what it owed done.

        A history that is part of the stack itself has nothing that the stack does not know.
        """
        held = cls(stack, keep)
        held._after_a_death = not isinstance(stack.event_store, InMemoryEventStore)
        return held

    def dispatch(self, command: Any, ticket: Ticket) -> Carried:
        """Carry out the command and all that it causes."""
        try:
            if self._after_a_death:
                self._carry_out(recover(self._stack))
                self._after_a_death = False
            ticket.begun = True
            return self._carry_out(begin(self._stack, command))
        except CalamityError as error:
            return Carried((), error)

    def read(self) -> Stack:
        """The stack as it is now."""
        return self._stack

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
