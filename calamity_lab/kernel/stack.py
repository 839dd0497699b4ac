"""A whole event-sourced system as one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from calamity_lab.errors import InvalidModel, InvalidValue
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.sources import Clock, Ids, RandomIds, system_clock
from calamity_lab.kernel.stores import InMemoryAggregateStore, InMemoryProcessManagerStore, InMemoryVersionStore

_MANAGER_MEMBERS = ("interested", "new", "apply", "handle")


class Watermark(NamedTuple):
    """The position up to which process managers of these types have been handed every event."""

    position: int = 0
    types: tuple[type, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Aggregates, process managers, their versions and the event store: everything there is, frozen.

    Stores may be given as plain dicts by stream id: ``Stack(aggregates={"BankAccount-1": account})``;
    ``event_store`` as a list of recorded events, or a dict of events by stream id.
    ``clock`` and ``ids`` are the only sources of time and of ids: give ``seeded_ids(7)`` and a fixed clock,
    and a run is the same to the byte.
    ``cascade_limit`` bounds how deep commands may cause commands, ``conflict_limit`` how often a command
    is tried again after another writer came first.
    """

    aggregates: Any = field(default_factory=dict)
    process_managers: Any = field(default_factory=dict)
    aggregate_versions: Any = field(default_factory=dict)
    process_manager_versions: Any = field(default_factory=dict)
    process_manager_types: tuple[type, ...] = ()
    event_store: Any = field(default_factory=InMemoryEventStore)
    clock: Clock | Callable[[], datetime] = system_clock
    ids: Ids | Callable[[], str] = RandomIds()
    cascade_limit: int = 500
    conflict_limit: int = 10
    watermark: Watermark = field(default=Watermark(), repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "aggregates", _store(self.aggregates, InMemoryAggregateStore, "dispatch"))
        put(self, "process_managers", _store(self.process_managers, InMemoryProcessManagerStore, "handle_event"))
        for name in ("aggregate_versions", "process_manager_versions"):
            put(self, name, _store(getattr(self, name), InMemoryVersionStore, "increment_version"))
        put(self, "process_manager_types", process_manager_types(self.process_manager_types))
        put(self, "event_store", _event_store(self.event_store))


def changed(stack: Stack, **fields: Any) -> Stack:
    """The stack with some fields replaced, unchecked: the kernel's quick way from one stack to the next."""
    new = object.__new__(Stack)
    put = object.__setattr__
    for name in Stack.__slots__:
        put(new, name, fields[name] if name in fields else getattr(stack, name))
    return new


def process_manager_types(types: Iterable[type]) -> tuple[type, ...]:
    """The types as a tuple, once it is clear that each can be a process manager and no two share a name."""
    if isinstance(types, type) or not isinstance(types, Iterable):
        raise InvalidModel(f"process_manager_types needs a list of classes; found {types!r}")
    known: dict[str, type] = {}
    for cls in types:
        missing = [name for name in _MANAGER_MEMBERS if not callable(getattr(cls, name, None))]
        if not isinstance(cls, type) or missing:
            lacks = f" (it lacks {', '.join(missing)})" if isinstance(cls, type) else ""
            raise InvalidModel(f"{cls!r} is no process manager type{lacks}; give the class itself")
        if known.setdefault(cls.__name__, cls) is not cls:
            raise InvalidModel(
                f"two process managers are called {cls.__name__} ({known[cls.__name__].__module__} and "
                f"{cls.__module__}); instances are told apart by the name, so rename one"
            )
    return tuple(known.values())


def _store(given: Any, kind: Callable[[Any], Any], member: str) -> Any:
    if isinstance(given, Mapping) and not hasattr(given, member):
        store = kind(given)
        if kind is not InMemoryVersionStore:
            _check_categories(given, store)
        return store
    if not hasattr(given, member):
        raise InvalidValue(
            f"{given!r} is no store: it has no {member}(); give a dict by stream id, as in "
            "{'BankAccount-1': BankAccount('1')}, or an object that implements the protocol"
        )
    return given


def _check_categories(given: Mapping[Any, Any], store: Mapping[str, Any]) -> None:
    for stream_id, state in store.items():
        name = type(state).__name__
        if stream_id.partition("-")[0] != name:
            raise InvalidValue(
                f"{stream_id!r} holds a {name}; its stream id must begin with the name of its class, "
                f"as in '{name}-{stream_id.partition('-')[2]}'"
            )


def _event_store(given: Any) -> Any:
    if hasattr(given, "append") and hasattr(given, "stream"):
        return given
    if isinstance(given, Mapping):
        return InMemoryEventStore.from_streams(given)
    if isinstance(given, (list, tuple)) and all(isinstance(event, RecordedEvent) for event in given):
        return InMemoryEventStore.of(given)
    raise InvalidValue(
        f"{given!r} is no event store; give a list of RecordedEvents, a dict of events by stream id, "
        "or an object with append(), stream() and subscribe()"
    )
