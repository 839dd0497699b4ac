"""One actor around a whole stack, in a thread of this process."""

from __future__ import annotations

from functools import partial
from typing import Any

from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.around_a_stack import AroundAStack
from calamity_lab.stores.actors.held_stack import HeldStack, Ticket
from calamity_lab.stores.actors.threads import ThreadActors


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
