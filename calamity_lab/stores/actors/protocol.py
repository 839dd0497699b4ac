"""What an actor is, what is said to it, and who remembers which actor holds what."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock, RLock
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

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


News = tuple[int, tuple[Any, ...]]
"""Recorded events that an actor may not have seen, and the version after which the first of them stands."""

NO_NEWS: News = (0, ())


class Behind(NamedTuple):
    """The actor has seen less than the caller knows of: it needs what comes after ``upto`` first.

    So a caller finds out that an actor was started anew.
    """

    upto: int


class Read(NamedTuple):
    """A state, and up to which version (an instance: which position) it is; None where there is nothing."""

    state: Any
    upto: int


class Decided(NamedTuple):
    """What a command leads to at the aggregate's recorded state: nothing of it is in the actor yet.

    ``version`` is the one that was decided on, ``state`` the one that the events lead to. Where the model
    refused or broke, ``error`` tells it, and there are no events; where there are none, ``state`` is the one
    that was decided on.
    """

    events: tuple[Any, ...]
    state: Any
    version: int
    error: Exception | None = None


class CaughtUp(NamedTuple):
    """Up to which version (an instance: which position) an actor has taken events in."""

    upto: int
    error: Exception | None = None


class Reacted(NamedTuple):
    """What an instance made of an event. ``verb`` is as in `Reaction`."""

    verb: str
    commands: tuple[Any, ...]
    before: Any
    after: Any
    error: Exception | None = None


V = TypeVar("V")


class Latest(Generic[V]):
    """So many values, by name, for several threads; those that were put first go when more are put."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[object, V] = OrderedDict()
        self._lock = Lock()

    def get(self, name: object) -> V | None:
        """The value under that name, while it is kept."""
        return self._values.get(name)

    def put(self, name: object, value: V) -> None:
        """Keep the value under that name, instead of another."""
        with self._lock:
            self._values[name] = value
            self._values.move_to_end(name)
            if len(self._values) > self._count:
                self._values.popitem(last=False)

    def pop(self, name: object) -> V | None:
        """The value under that name, which is not kept any longer."""
        with self._lock:
            return self._values.pop(name, None)
