"""One actor around a whole stack."""

from __future__ import annotations

import time
from functools import partial
from threading import Lock
from types import TracebackType
from typing import Any, Self

from calamity_lab.errors import StoreUnavailable
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.held_stack import Carried, HeldStack, Ticket
from calamity_lab.stores.actors.references import PAUSES, ActorDied
from calamity_lab.stores.actors.threads import ThreadActors


class StackActor:
    """A stack in an actor: threads send it commands, which are carried out one after another.

    ::

        with StackActor(Stack(process_manager_types=[Transfer])) as bank:
            bank.dispatch(DepositFunds("alice", 100))

    An actor that died is started again: with the stack as it was after its last command, and where the event
    store is elsewhere, with what it recorded since and the commands that it owed.
    """

    def __init__(self, stack: Stack) -> None:
        self._latest = stack
        self._actors = ThreadActors()
        self._lock = Lock()
        self._reference: Any = self._actors.start("stack", partial(HeldStack, stack, self._keep))

    def dispatch(self, command: Any) -> tuple[RecordedEvent, ...]:
        """All that was recorded because of the command, in order. Raises `Rejected` when it is refused.

        An actor that dies before it has begun with the command is replaced, and asked again; one that dies
        of it leaves open how far it came, which is a `StoreUnavailable`.
        """
        ticket = Ticket()
        try:
            carried: Carried = self._ask(ticket, "dispatch", command, ticket)
        except ActorDied as died:
            raise StoreUnavailable(
                f"the actor died while it carried out {command!r} ({died}); what it recorded stays recorded, "
                "what it owed will be carried out; see the history before the command is sent again"
            ) from died
        if carried.error is not None:
            raise carried.error
        return carried.recorded

    @property
    def stack(self) -> Stack:
        """The stack as it is after all that was carried out so far; after `close`, the last."""
        if self._actors.closed:
            return self._latest
        stack: Stack = self._ask(Ticket(), "read")
        return stack

    def close(self) -> None:
        """End the actor, after the commands that it was sent."""
        self._actors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"StackActor({self._latest!r})"

    def _ask(self, ticket: Ticket, method: str, *given: Any) -> Any:
        for pause in PAUSES:
            if pause:
                time.sleep(pause)
            reference = self._living()
            try:
                return self._actors.ask(reference, method, *given)
            except ActorDied as died:
                if ticket.begun:
                    raise
                cause = died
        raise StoreUnavailable(
            f"the stack could not be asked to {method}: {len(PAUSES)} actors died of it, one after the other "
            f"({cause}); the same call may work later"
        ) from cause

    def _living(self) -> Any:
        """The actor; one that died is replaced."""
        with self._lock:
            if not self._actors.is_alive(self._reference):
                again = partial(HeldStack.after_a_death, self._latest, self._keep)
                self._reference = self._actors.start("stack", again)
            return self._reference

    def _keep(self, stack: Stack) -> None:
        self._latest = stack
