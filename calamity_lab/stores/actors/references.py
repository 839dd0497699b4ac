"""The map of references to a store's actors: who is asked is started first, and again when it has died."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import RLock
from typing import Any, Protocol

from calamity_lab.errors import StoreUnavailable

# How long to wait before each further attempt, in seconds: actors die seldom, and are soon back.
PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


class ActorDied(StoreUnavailable):
    """An actor does not answer any more, whatever it did last; it is started anew and asked again."""


class Actors(Protocol):
    """Where actors live: threads of this process, or the workers of a cluster."""

    def start(self, name: str, held: Any) -> Any:
        """A reference to a new actor that holds a ``held()``, once it can be asked."""
        ...

    def ask(self, reference: Any, method: str, *given: Any) -> Any:
        """The answer of the method of what the actor holds. Raises `ActorDied` where none will come."""
        ...

    def tell(self, reference: Any, method: str, *given: Any) -> None:
        """Ask without waiting for the answer: it may be lost."""
        ...

    def is_alive(self, reference: Any) -> bool:
        """Whether the actor is there, as far as is known without asking."""
        ...

    def place(self, reference: Any) -> str:
        """Where the actor lives, in words or as an address."""
        ...

    def stop(self, reference: Any) -> None:
        """Let the actor go."""
        ...


class References:
    """The actors of one store. ``place`` tells which of them holds what has that stream id."""

    def __init__(self, actors: Actors, held: type, place: Callable[[str], str]) -> None:
        self._actors = actors
        self._held = held
        self._place = place
        self._references: dict[str, Any] = {}
        self._changing = RLock()

    def ask(self, stream_id: str, method: str, *given: Any) -> Any:
        """The answer of the actor that holds this, by whichever attempt.

        No call has effects outside its actor, so asking again does no harm. Raises `StoreUnavailable` when
        actor after actor dies of it.
        """
        for pause in PAUSES:
            if pause:
                time.sleep(pause)
            reference = None
            try:
                reference = self.reference(stream_id)
                return self._actors.ask(reference, method, *given)
            except ActorDied as died:
                cause = died
                self._drop(stream_id, reference)
        raise StoreUnavailable(
            f"{stream_id} could not be asked to {method}: {len(PAUSES)} actors that held it died, one after "
            f"the other ({cause}); if the model ends its process or thread itself, that must go; "
            "else the same call may work later"
        ) from cause

    def tell(self, stream_id: str, method: str, *given: Any) -> None:
        """Ask without waiting; where the actor has died that is found out by whoever asks next."""
        reference = self.current(stream_id)
        if reference is not None:
            try:
                self._actors.tell(reference, method, *given)
            except ActorDied:
                self._drop(stream_id, reference)

    def reference(self, stream_id: str) -> Any:
        """The actor that holds this; a new one where there is none, or none any more."""
        name = self._place(stream_id)
        reference = self._references.get(name)
        if reference is not None and self._actors.is_alive(reference):
            return reference
        with self._changing:
            reference = self._references.get(name)
            if reference is None or not self._actors.is_alive(reference):
                self._drop(stream_id, reference)
                reference = self._references[name] = self._actors.start(name, self._held)
            return reference

    def current(self, stream_id: str) -> Any:
        """The actor that holds this; None where there is none now."""
        return self._references.get(self._place(stream_id))

    def is_lost(self, stream_id: str, reference: Any) -> bool:
        """Whether what that actor held is gone with it."""
        same = reference is not None and self.current(stream_id) is reference
        return not same or not self._actors.is_alive(reference)

    def let_go(self, stream_id: str) -> None:
        """Stop the actor that holds this, if it holds nothing else."""
        if self._place(stream_id) == stream_id:
            self._drop(stream_id, self._references.get(stream_id))

    def place_of(self, stream_id: str) -> str | None:
        """Where the actor that holds this lives; None where nobody holds it now."""
        reference = self.current(stream_id)
        if reference is None or not self._actors.is_alive(reference):
            return None
        return self._actors.place(reference)

    def _drop(self, stream_id: str, reference: Any) -> None:
        with self._changing:
            name = self._place(stream_id)
            if reference is not None and self._references.get(name) is reference:
                del self._references[name]
                self._actors.stop(reference)
