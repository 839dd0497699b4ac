"""What an actor is, what callers and actors say to each other, and the map from names to actors."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock, RLock
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from calamity_lab.errors import StoreUnavailable
from calamity_lab.kernel.event_store import NotCopied
from calamity_lab.text import plural

# How long to wait before each further attempt, in seconds: actors die seldom, and are soon replaced.
PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

V = TypeVar("V")


class ActorDied(StoreUnavailable):
    """An actor no longer answers. The caller starts a new actor and asks again."""


class Actors(Protocol):
    """Where actors live: threads of this process, or the workers of a cluster."""

    def start(self, name: str, held: Any) -> Any:
        """Start an actor that holds a ``held()``, and return a reference to the actor."""
        ...

    def ask(self, reference: Any, method: str, *given: Any) -> Any:
        """Call a method of what the actor holds, and wait for the answer. Raises `ActorDied`."""
        ...

    def tell(self, reference: Any, method: str, *given: Any) -> None:
        """Call a method without waiting for the answer: the call may be lost."""
        ...

    def is_alive(self, reference: Any) -> bool:
        """Whether the actor runs, as far as is known without asking it."""
        ...

    def location(self, reference: Any) -> str:
        """Where the actor runs, in words or as an address."""
        ...

    def stop(self, reference: Any) -> None:
        """Stop the actor."""
        ...


NewEvents = tuple[int, tuple[Any, ...], int]
"""Recorded events that an actor may not have seen, between the version that they follow and their last."""

NO_NEW_EVENTS: NewEvents = (0, (), 0)


class Behind(NamedTuple):
    """The actor has seen less than the caller knows: the actor needs what comes after ``upto`` first.

    So a caller finds out that an actor was replaced by a new one.
    """

    upto: int


class Read(NamedTuple):
    """A state (or None), and the version (of an instance: the position) that it has reached."""

    state: Any
    upto: int


class Decided(NamedTuple):
    """What a command leads to at the aggregate's recorded state. The actor keeps nothing of it yet.

    ``version`` is the version that the aggregate decided on, ``state`` is the state after the events. Without
    events, ``state`` is the state that the aggregate decided on; ``error`` is what the model raised.
    """

    events: tuple[Any, ...]
    state: Any
    version: int
    error: Exception | None = None


class CatchUpResult(NamedTuple):
    """The version (of an instance: the position) up to which an actor has applied events."""

    upto: int
    error: Exception | None = None


class ReactResult(NamedTuple):
    """What an event did to an instance. ``verb`` is as in `Reaction`."""

    verb: str
    commands: tuple[Any, ...]
    before: Any
    after: Any
    error: Exception | None = None


class References:
    """The actors of one store, by name. ``name_for`` says which actor holds the state with a stream id.

    An actor starts when it is first asked, and a new one starts when it has died.
    """

    def __init__(self, actors: Actors, held: type, name_for: Callable[[str], str]) -> None:
        self._actors = actors
        self._held = held
        self._name_for = name_for
        self._references: dict[str, Any] = {}
        self._changing = RLock()

    def ask(self, stream_id: str, method: str, *given: Any) -> Any:
        """The answer of the actor that holds the state with this stream id.

        No call has effects outside its actor, so asking again does no harm. Raises `StoreUnavailable` when
        one actor after the other dies.
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
            f"the other ({cause}). If the model ends its own process or thread, remove that; otherwise try "
            "the same call again later"
        ) from cause

    def tell(self, stream_id: str, method: str, *given: Any) -> None:
        """Call without waiting. Where the actor has died, the next caller who asks finds out."""
        reference = self.current(stream_id)
        if reference is not None:
            try:
                self._actors.tell(reference, method, *given)
            except ActorDied:
                self._drop(stream_id, reference)

    def reference(self, stream_id: str) -> Any:
        """The actor for this stream id; a new actor where none is alive."""
        name = self._name_for(stream_id)
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
        """The actor for this stream id; None where there is none now."""
        return self._references.get(self._name_for(stream_id))

    def is_lost(self, stream_id: str, reference: Any) -> bool:
        """Whether the state that this actor held was lost with the actor."""
        same = reference is not None and self.current(stream_id) is reference
        return not same or not self._actors.is_alive(reference)

    def release(self, stream_id: str) -> None:
        """Stop the actor for this stream id, if the actor holds nothing else."""
        if self._name_for(stream_id) == stream_id:
            self._drop(stream_id, self._references.get(stream_id))

    def location_of(self, stream_id: str) -> str | None:
        """Where the actor for this stream id runs; None where there is none now."""
        reference = self.current(stream_id)
        if reference is None or not self._actors.is_alive(reference):
            return None
        return self._actors.location(reference)

    def _drop(self, stream_id: str, reference: Any) -> None:
        with self._changing:
            name = self._name_for(stream_id)
            if reference is not None and self._references.get(name) is reference:
                del self._references[name]
                self._actors.stop(reference)


def gave_up(stream_id: str, method: str, sent: str) -> StoreUnavailable:
    """The error where one actor after the other died after it was sent what it lacked."""
    return StoreUnavailable(
        f"{stream_id} could not be asked to {method}: its actor died each time after it was sent its {sent}. "
        "Try the same call again later"
    )


class OverActors(NotCopied, Mapping[str, Any]):
    """A store of a stack whose values are in actors."""

    __slots__ = ("_shared",)

    _noun: ClassVar[str]  # what it holds, in words

    def __init__(self, shared: Any) -> None:
        self._shared = shared

    @property
    def shared(self) -> Any:
        """What all stores over the same actors share."""
        return self._shared

    def __getitem__(self, key: Any) -> Any:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __hash__(self) -> int:
        return hash(id(self._shared))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({plural(len(self), self._noun)})"


class RecentValues(Generic[V]):
    """The values that were put last, by key, for several threads: at most ``count`` of them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[object, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: object) -> V | None:
        """The value with that key, or None."""
        return self._values.get(key)

    def put(self, key: object, value: V) -> None:
        """Keep the value, instead of another with that key. The oldest value goes when there are too many."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._count:
                self._values.popitem(last=False)

    def drop(self, unwanted: Callable[[Any], bool]) -> int:
        """Remove the values with such keys; how many there were."""
        with self._lock:
            gone = [key for key in self._values if unwanted(key)]
            for key in gone:
                del self._values[key]
        return len(gone)

    def pop(self, key: object) -> V | None:
        """Remove the value with that key and return it; None where there is none."""
        with self._lock:
            return self._values.pop(key, None)
