"""Actors in threads of this process, by Pykka."""

from __future__ import annotations

import threading
from functools import cache
from types import TracebackType
from typing import Any, Self

from calamity_lab.errors import MissingExtra, StoreUnavailable
from calamity_lab.stores.actors.protocol import ActorDied

# How often a caller who waits looks whether the actor is still there, in seconds.
_LOOK = 0.2


class ThreadActors:
    """Actors in this process, a thread each. They end with the ``with`` block, or by `close`.

    Messages, events and states go to and fro as they are, so that a model needs nothing but to be pure.
    """

    def __init__(self) -> None:
        pykka()
        self._started: dict[str, Any] = {}
        self._closed = False
        self._lock = threading.Lock()

    def start(self, name: str, held: Any) -> Any:
        """A reference to a new actor that holds a ``held()``."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable(
                    f"no actor can be started for {name}: these actors were closed; start new ones, as in "
                    "`with ThreadActors() as actors`, and make the stack anew from its event store"
                )
            reference = _actor().start(held())
            self._started[reference.actor_urn] = reference
        return reference

    def ask(self, reference: Any, method: str, *given: Any) -> Any:
        """The answer of the method of what the actor holds. Raises `ActorDied` where none will come."""
        dead, timeout = pykka().ActorDeadError, pykka().Timeout
        answer = reference.ask((method, given), block=False)
        while True:
            # An actor that stops in just this moment may leave a message unanswered.
            lost = not reference.is_alive()
            try:
                return answer.get(timeout=0.0 if lost else _LOOK)
            except dead as error:
                raise ActorDied(f"the actor stopped: {error}") from error
            except timeout as error:
                if lost:
                    raise ActorDied("the actor stopped while it was asked") from error

    def tell(self, reference: Any, method: str, *given: Any) -> None:
        """Ask without waiting for the answer."""
        try:
            reference.tell((method, given))
        except pykka().ActorDeadError as error:
            raise ActorDied(f"the actor stopped: {error}") from error

    def is_alive(self, reference: Any) -> bool:
        """Whether the actor is there."""
        return bool(reference.is_alive())

    def place(self, reference: Any) -> str:
        """Where the actor lives: all of them here."""
        return "this process"

    def stop(self, reference: Any) -> None:
        """Let the actor go, after what it was asked so far."""
        self._started.pop(reference.actor_urn, None)
        reference.stop(block=False)

    @property
    def closed(self) -> bool:
        """Whether there are no actors any more."""
        return self._closed

    def close(self) -> None:
        """Stop all actors, and wait until they have."""
        with self._lock:
            self._closed = True
            started = list(self._started.values())
            self._started.clear()
        for stopped in [reference.stop(block=False) for reference in started]:
            stopped.get()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._started)

    def __repr__(self) -> str:
        return f"ThreadActors({len(self):,} actors{', closed' if self._closed else ''})"


def pykka() -> Any:
    """The package, or an error that tells how to install it."""
    try:
        import pykka as package
    except ImportError as error:
        raise MissingExtra("actors in this process", "pykka", "actors") from error
    return package


@cache
def _actor() -> Any:
    """The class of the actors: made when first needed, because its base comes with an extra."""

    class Actor(pykka().ThreadingActor):  # type: ignore[misc]
        """Holds something, and passes on to it what it is asked."""

        # A program that forgets to stop its actors must still come to its end.
        use_daemon_thread = True

        def __init__(self, held: Any) -> None:
            super().__init__()
            self.held = held

        def on_receive(self, message: tuple[str, tuple[Any, ...]]) -> Any:
            method, given = message
            try:
                return getattr(self.held, method)(*given)
            except Exception:
                raise
            except BaseException as error:  # else it would end every actor there is, and answer nobody
                self.stop()
                raise ActorDied(f"{type(error).__name__} ended the actor: {error}") from error

    return Actor
