"""The protocols of models and stores, and the words with which an event store is called.

The protocols are structural: a class needs no base class. In the protocols of models, ``*args, **kwargs``
stand for the second parameter that a class may have: a type checker then takes classes with and without it.
They follow the protocols of the same names in Calamity (github.com/Cantido/calamity).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol, Self, runtime_checkable

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.arguments import a_text, is_a
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.messages import Interest
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent


class AllStreams(Enum):
    """Used instead of a stream id: every stream, in order of position."""

    ALL = "all"

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Category:
    """All streams of one type, as in ``store.subscribe(Category("BankAccount"), subscriber)``.

    They are the streams whose ids begin with the name and a dash. A class stands for its stored name.
    """

    name: str

    def __post_init__(self) -> None:
        given: Any = self.name
        name = stored_name(given) if is_a(given, type) else given
        plain = str.__str__(name) if is_a(name, str) else ""  # a subclass may have methods that raise
        if not plain or "-" in plain:
            raise InvalidValue(
                f"Category({repr_of(self.name)}): give the part of a stream id before its first dash, as in "
                'Category("BankAccount"), or the class'
            )
        object.__setattr__(self, "name", plain)

    @classmethod
    def of(cls, stream_id: str) -> Category | None:
        """The category of a stream id; None where it has no dash."""
        name, dash, _ = a_text("Category.of(stream_id)", stream_id, "'BankAccount-1'").partition("-")
        return cls(name) if name and dash else None


class ExpectedVersion(Enum):
    """What an append expects of a stream, where it does not name a version."""

    ANY = "any"
    NO_STREAM = "no stream"
    STREAM_EXISTS = "stream exists"

    def __repr__(self) -> str:
        return self.name


class Direction(Enum):
    """The order in which a stream is read."""

    FORWARDS = "forwards"
    BACKWARDS = "backwards"

    def __repr__(self) -> str:
        return self.name


ALL: Final = AllStreams.ALL
ANY: Final = ExpectedVersion.ANY
NO_STREAM: Final = ExpectedVersion.NO_STREAM
STREAM_EXISTS: Final = ExpectedVersion.STREAM_EXISTS
FORWARDS: Final = Direction.FORWARDS
BACKWARDS: Final = Direction.BACKWARDS

StreamId = str | AllStreams
Expected = ExpectedVersion | int
Subscriber = Callable[[RecordedEvent], object]


@runtime_checkable
class Aggregate(Protocol):
    """Decides what a command leads to (``execute``) and what an event changes (``apply``); both are pure.

    ``execute(self, command, context)`` gets a `Context` too, and ``apply(self, event, recorded)`` the
    `RecordedEvent`: the second parameter may be left out.
    """

    @classmethod
    def new(cls, aggregate_id: Any) -> Self:
        """The aggregate before anything happened to it."""
        ...

    def execute(self, command: Any, /, *args: Any, **kwargs: Any) -> Any:
        """An event, a list of events or None; refuse with ``raise Rejected("reason", detail=...)``."""
        ...

    def apply(self, event: Any, /, *args: Any, **kwargs: Any) -> Self:
        """The aggregate after the event."""
        ...


@runtime_checkable
class Command(Protocol):
    """An order to one aggregate."""

    def aggregate(self) -> tuple[type, Any]:
        """The aggregate's type and id."""
        ...


@runtime_checkable
class ProcessManager(Protocol):
    """Turns events into further commands. ``handle_rejection(rejected)`` may be added, to compensate.

    ``interested``, ``apply`` and ``handle`` get the `RecordedEvent` too where they take a second parameter.
    """

    @classmethod
    def interested(cls, event: Any, /, *args: Any, **kwargs: Any) -> Interest | Sequence[Interest] | None:
        """Which instance the event starts, continues or stops: an interest, a list of them, or None."""
        ...

    @classmethod
    def new(cls, id: Any) -> Self:  # noqa: A002 - the contract's name
        """The instance before its first event."""
        ...

    def apply(self, event: Any, /, *args: Any, **kwargs: Any) -> Self:
        """The instance after the event."""
        ...

    def handle(self, event: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A command, a list of commands or None; asked after ``apply``."""
        ...


@runtime_checkable
class Projection(Protocol):
    """A read model: what all events add up to, folded one event at a time; pure, and it decides nothing.

    With a classmethod ``key(event)``, which returns a key or None, there is one instance for each key, and an
    event is for the instance of its key alone. ``new`` is then given the key if it needs an argument.
    """

    @classmethod
    def new(cls) -> Self:
        """The projection before its first event."""
        ...

    def apply(self, event: Any, /, *args: Any, **kwargs: Any) -> Self:
        """The projection after the event; ``self`` where the event changes nothing."""
        ...


@runtime_checkable
class AggregateStore(Protocol):
    """Holds aggregates. One call per update, so that it can be atomic."""

    def dispatch(self, command: Any) -> tuple[Sequence[Any], Self]:
        """Execute the command and apply what it leads to: the events, and the store after them.

        A store whose ``dispatch`` takes a second parameter, ``context``, is given the `Context`.
        """
        ...

    def apply(self, identity: Identity, events: Iterable[Any]) -> Self:
        """The store with events applied that were recorded elsewhere.

        They are `RecordedEvent`s where ``apply`` of the aggregate takes the record, else bare events.
        """
        ...

    def forget(self, identity: Identity) -> Self:
        """The store without that aggregate."""
        ...

    def get(self, key: Any, default: Any = None) -> Any:
        """The aggregate with that stream id or `Identity`, or the default."""
        ...


@runtime_checkable
class ProcessManagerStore(Protocol):
    """Holds process manager instances. One call per update, so that it can be atomic."""

    def handle_event(
        self, recorded_event: RecordedEvent, process_manager_types: Iterable[type]
    ) -> tuple[Sequence[Any], Self]:
        """Hand the event to every type: their reactions, and the store after them.

        A reaction has ``manager`` (the type), ``id``, ``verb`` (started, continued, stopped, ignored or
        answered) and ``commands``. There is one for each instance that the event concerns.
        """
        ...

    def get(self, key: Any, default: Any = None) -> Any:
        """The instance with that stream id or `Identity`, or the default."""
        ...


@runtime_checkable
class EventStore(Protocol):
    """Records events in streams.

    A store may also have ``record(stream_id, proposals, expected_version)``: like `append`, of a list of
    `ProposedEvent`, and it returns the tuple of `RecordedEvent` with the store. The kernel asks for it where
    it is there; else it reads back from the store what it has just appended.
    """

    def append(
        self, stream_id: str, events: Iterable[ProposedEvent | Any], *, expected_version: Expected = ANY
    ) -> Self:
        """Record events at the end of a stream, all or none.

        Raises `WrongExpectedVersion` and writes nothing when the stream is not at the version expected.
        """
        ...

    def stream(
        self, stream_id: StreamId, *, start_version: int = 0, direction: Direction = FORWARDS
    ) -> Iterable[RecordedEvent]:
        """The stream's events whose version is at least ``start_version``; with ALL, whose position is."""
        ...

    def subscribe(self, stream_id: StreamId, subscriber: Subscriber) -> Self:
        """Call the subscriber with every event that is appended from now on, once, after the append."""
        ...


@runtime_checkable
class VersionStore(Protocol):
    """Counts the events that each aggregate or process manager instance has seen."""

    def increment_version(self, identity: Identity, count: int) -> Self:
        """The store with that version ``count`` higher; from 0 where there was none."""
        ...

    def get(self, key: Any, default: Any = None) -> Any:
        """The version of that stream id or `Identity`, or the default."""
        ...
