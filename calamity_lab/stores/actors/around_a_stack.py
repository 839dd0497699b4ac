"""What all actors around a whole stack have in common, wherever they live."""

from __future__ import annotations

import time
from threading import Lock
from types import TracebackType
from typing import Any, Self

from calamity_lab.errors import StoreUnavailable
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.stores.actors.held_stack import Carried, Ticket
from calamity_lab.stores.actors.references import PAUSES, ActorDied, Actors


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
