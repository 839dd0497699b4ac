"""Actors in threads of this process, by Pykka."""

from __future__ import annotations

import threading
from contextvars import Context, copy_context
from functools import cache
from typing import Any

from calamity_lab.errors import CalamityError, MissingExtra, StoreUnavailable
from calamity_lab.kernel.arguments import a_function, a_text, an_instance, words_of, wrong
from calamity_lab.kernel.event_store import Closable
from calamity_lab.stores.actors.protocol import ActorDied

# How often a waiting caller checks that the actor is alive, in seconds.
_CHECK_EVERY = 0.2


class ThreadActors(Closable):
    """Actors in threads of this process. They stop at the end of the ``with`` block, or with `close`.

    Commands, events and states are passed as they are, so a model needs only to be pure. A call is run in the
    context of its caller, so a wrapper around the model (`calamity_lab.kernel.ask.through`) holds there too.
    """

    def __init__(self) -> None:
        pykka()
        self._started: dict[str, Any] = {}
        self._closed = False
        self._lock = threading.Lock()

    def start(self, name: str, held: Any) -> Any:
        """Start an actor that holds a ``held()``, and return a reference to the actor."""
        a_function("start(held)", held, "start('1', dict)")
        with self._lock:
            if self._closed:
                raise StoreUnavailable(
                    f"no actor can start for {name}: these actors were closed. Start new ones, as in "
                    "`with ThreadActors() as actors`, and build the stack again from its event store"
                )
            reference = _actor().start(_made(held))
            self._started[reference.actor_urn] = reference
        return reference

    def ask(self, reference: Any, method: str, *given: Any) -> Any:
        """Call a method of what the actor holds, and wait for the answer. Raises `ActorDied`."""
        a_text("ask(method)", method, "ask(reference, 'read')")
        dead, timeout = pykka().ActorDeadError, pykka().Timeout
        _check_reference("ask", reference)
        answer = reference.ask((copy_context(), method, given), block=False)
        while True:
            # An actor that stops at this very moment may leave a message unanswered.
            lost = not reference.is_alive()
            try:
                return answer.get(timeout=0.0 if lost else _CHECK_EVERY)
            except dead as error:
                raise ActorDied(f"the actor stopped: {error}") from error
            except timeout as error:
                if lost:
                    raise ActorDied("the actor stopped while it was asked") from error

    def tell(self, reference: Any, method: str, *given: Any) -> None:
        """Call a method without waiting for the answer."""
        a_text("tell(method)", method, "tell(reference, 'read')")
        _check_reference("tell", reference)
        try:
            reference.tell((copy_context(), method, given))
        except pykka().ActorDeadError as error:
            raise ActorDied(f"the actor stopped: {error}") from error

    def is_alive(self, reference: Any) -> bool:
        """Whether the actor runs."""
        _check_reference("is_alive", reference)
        return bool(reference.is_alive())

    def location(self, reference: Any) -> str:
        """Where the actor runs: all of them in this process."""
        return "this process"

    def stop(self, reference: Any) -> None:
        """Stop the actor, after the calls that it was sent."""
        _check_reference("stop", reference)
        self._started.pop(reference.actor_urn, None)
        reference.stop(block=False)

    @property
    def closed(self) -> bool:
        """Whether the actors were closed."""
        return self._closed

    def close(self) -> None:
        """Stop all actors, and wait until they have stopped."""
        with self._lock:
            self._closed = True
            started = list(self._started.values())
            self._started.clear()
        for stopped in [reference.stop(block=False) for reference in started]:
            stopped.get()

    def __len__(self) -> int:
        return len(self._started)

    def __repr__(self) -> str:
        return f"ThreadActors({len(self):,} actors{', closed' if self._closed else ''})"


def pykka() -> Any:
    """The package pykka, or an error that says how to install it."""
    try:
        import pykka as package
    except ImportError as error:
        raise MissingExtra("actors in this process", "pykka", "actors") from error
    return package


def _made(held: Any) -> Any:
    try:
        return held()
    except CalamityError:
        raise
    except Exception as error:
        works = f"a function without arguments that makes what the actor holds; it raised {words_of(error)}"
        raise wrong("start(held)", held, works) from error


def _check_reference(method: str, given: Any) -> None:
    kind = pykka().ActorRef
    if type(given) is not kind:
        an_instance(f"{method}(reference)", given, kind, "actors.start(name, held)")


@cache
def _actor() -> Any:
    """The class of the actors: made when it is first needed, since its base class comes with an extra."""

    class Actor(pykka().ThreadingActor):  # type: ignore[misc]
        """Holds an object, and calls the object's methods."""

        # A program that forgets to stop its actors must still end.
        use_daemon_thread = True

        def __init__(self, held: Any) -> None:
            super().__init__()
            self.held = held

        def on_receive(self, message: tuple[Context, str, tuple[Any, ...]]) -> Any:
            context, method, given = message
            try:
                return context.run(getattr(self.held, method), *given)
            except Exception:
                raise
            except BaseException as error:  # otherwise it would stop every actor, and answer nobody
                self.stop()
                raise ActorDied(f"{type(error).__name__} ended the actor: {error}") from error

    return Actor
