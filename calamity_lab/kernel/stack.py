"""A whole event-sourced system as one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import StructMeta, field, structs

from calamity_lab.errors import InvalidModel, InvalidValue, Rejected, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import (
    a_list,
    a_mapping,
    a_whole_number,
    classes,
    has,
    is_a,
    refuse_unknown,
    wrong,
)
from calamity_lab.kernel.clocks_and_ids import Clock, Ids, RandomIds, check_sources, system_clock
from calamity_lab.kernel.deadlines import NO_DEADLINES, Deadlines
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.frozen import ComparedInPart
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.in_memory_stores import (
    InMemoryAggregateStore,
    InMemoryProcessManagerStore,
    InMemoryVersionStore,
)
from calamity_lab.kernel.persistent import PersistentMap
from calamity_lab.kernel.recorded import RecordedEvent

_MANAGER_MEMBERS = ("interested", "new", "apply", "handle")


class _Checking(StructMeta):
    """The metaclass of `Stack`: it checks what a call of the class is given."""

    def __call__(self, **given: Any) -> Any:
        refuse_unknown("Stack", given, self.__struct_fields__)
        stack = super().__call__(**given)
        return changed(stack, **_checked_fields(stack))


class Stack(ComparedInPart, frozen=True, eq=False, kw_only=True, metaclass=_Checking):
    """Aggregates, process managers, their versions and the event store: everything there is, frozen.

    Stores may be given as plain dicts by stream id: ``Stack(aggregates={"BankAccount-1": account})``;
    ``event_store`` as a list of recorded events, or a dict of events by stream id.
    ``deadlines`` are the commands that process managers set for later; see `calamity_lab.kernel.deadlines`.
    ``clock`` and ``ids`` are the only sources of time and of ids: give ``seeded_ids(7)`` and a fixed clock,
    and a run is the same to the byte.
    ``process_managers_begin`` says where a process manager begins that is new to a store which outlives the
    stack: ``{"Greeter": "now"}``, the default, or a position. ``"elsewhere"``: another process runs it.
    ``cascade_limit`` bounds how deep commands may cause commands, ``conflict_limit`` how often a command
    is tried again after another writer came first.
    """

    aggregates: Any = field(default_factory=dict)
    process_managers: Any = field(default_factory=dict)
    aggregate_versions: Any = field(default_factory=dict)
    process_manager_versions: Any = field(default_factory=dict)
    process_manager_types: tuple[type, ...] = ()
    process_managers_begin: Mapping[Any, Any] = field(default_factory=dict)
    event_store: Any = field(default_factory=InMemoryEventStore)
    deadlines: Any = NO_DEADLINES
    clock: Clock | Callable[[], datetime] = system_clock
    ids: Ids | Callable[[], str] = RandomIds()
    cascade_limit: int = 500
    conflict_limit: int = 10
    # Up to which position each of `delivered_types` was handed the events that interest it.
    delivered_upto: tuple[int, ...] = ()
    delivered_types: tuple[type, ...] = ()
    # The event store in which these types have their marks.
    prepared: Any = None
    # The rejections that changed running instances, by stream id, where the event store does not keep them;
    # and which of those that it keeps are known, by the stored name of the process manager.
    rejections: PersistentMap[Any] = field(default_factory=PersistentMap)
    known_rejections: PersistentMap[Any] = field(default_factory=PersistentMap)
    # What commands came to that are carried out once, by command id, where the event store does not keep it.
    outcomes: PersistentMap[Any] = field(default_factory=PersistentMap)

    # How far the stack has come is no part of what it is.
    aside = frozenset(
        ("delivered_upto", "delivered_types", "prepared", "rejections", "known_rejections", "outcomes")
    )
    hidden = aside | {"process_managers_begin"}
    __hash__ = None  # type: ignore[assignment]


# The stack with some fields replaced, unchecked: the kernel's quick way from one stack to the next.
changed: Callable[..., Stack] = structs.replace


def _checked_fields(stack: Stack) -> dict[str, Any]:
    """The fields of a new stack as it keeps them, after a check of what it was given."""
    types = process_manager_types(stack.process_manager_types)
    marks = _marks(stack.delivered_types, stack.delivered_upto)
    checked = {
        "aggregates": _store(stack.aggregates, InMemoryAggregateStore, "dispatch"),
        "process_managers": _store(stack.process_managers, InMemoryProcessManagerStore, "handle_event"),
        "process_managers_begin": _beginnings(stack.process_managers_begin),
        "deadlines": stack.deadlines if type(stack.deadlines) is Deadlines else Deadlines(stack.deadlines),
        "process_manager_types": types,
        "delivered_types": types,
        "delivered_upto": tuple([marks.get(stored_name(cls), 0) for cls in types]),
        "prepared": stack.prepared if types == stack.delivered_types else None,
    }
    for name in ("aggregate_versions", "process_manager_versions"):
        checked[name] = _store(getattr(stack, name), InMemoryVersionStore, "increment_version")
    for name in ("cascade_limit", "conflict_limit"):
        checked[name] = a_whole_number(f"Stack({name})", getattr(stack, name))
    check_sources("Stack", stack.clock, stack.ids)
    store = _event_store(stack.event_store, stack.clock, stack.ids)
    if store is not stack.event_store:
        checked |= {"clock": store.clock, "ids": store.ids}
        store = InMemoryEventStore.of(store)  # with sources of its own, or its ids would be the stack's again
    register_streams(store, types)
    _check_rejections(types, store, checked["process_managers"])
    return {**checked, "event_store": store}


def moved(delivered: tuple[int, ...], index: int, position: int) -> tuple[int, ...]:
    """How far the process managers of a stack were handed events, with one of them at a position."""
    return (*delivered[:index], position, *delivered[index + 1 :])


def process_manager_types(types: Iterable[type]) -> tuple[type, ...]:
    """The types as a tuple, after a check that each is a process manager and that no two share a name."""
    known: dict[str, type] = {}
    for cls in classes("process_manager_types", types, "[Transfer]"):
        missing = [name for name in _MANAGER_MEMBERS if not has(cls, name)]
        if missing:
            raise InvalidModel(f"{cls.__name__} needs {_methods(missing)} to be a process manager")
        other = known.setdefault(stored_name(cls), cls)
        if other is not cls:
            raise InvalidModel(
                f"Two process managers have the stored name {stored_name(cls)!r}: {other.__qualname__} of "
                f"{other.__module__} and {cls.__qualname__} of {cls.__module__}. Instances are identified by "
                "this name, so rename one class, or give it another stored_name"
            )
    return tuple(known.values())


def _check_rejections(types: Iterable[type], event_store: Any, process_managers: Any) -> None:
    """Raise for a process manager whose state comes from rejections too, where they are not kept."""
    where = type(event_store).__name__
    for cls in types if has(event_store, "as_kept") else ():
        own = [each.__name__ for each in ask.taken_rejections(cls) if each is not Rejected]
        if own:
            raise InvalidModel(
                f"{cls.__name__}.apply takes {' and '.join(own)}, but {where} keeps each rejection as a "
                "plain Rejected, so no instance would get one. Name Rejected itself, as in event: Paid | "
                "Rejected, and tell rejections apart by their reason and details; or use the stores in memory"
            )
    is_kept = isinstance(event_store, InMemoryEventStore) or has(event_store, "rejections")
    if (is_kept and has(process_managers, "take_rejection")) or has(process_managers, "kept_rejections"):
        return
    for cls in types:
        if ask.takes_rejections(cls):
            where = type(process_managers if is_kept else event_store).__name__
            raise InvalidModel(
                f"{cls.__name__}.apply takes a Rejected, but {where} keeps no rejections, so "
                "the state of its instances would be lost. Use SQLEventStore or the stores in memory; or "
                f"answer the rejection in {cls.__name__}.handle_rejection with a command whose aggregate "
                "records what happened"
            )


def register_streams(event_store: Any, classes: Iterable[type]) -> None:
    """Let a store with a serializer refuse two classes of one stored name, also in two stacks."""
    register = getattr(getattr(event_store, "serializer", None), "register_streams", None)
    if register is not None:
        register(*classes)


def _methods(names: list[str]) -> str:
    """The methods that a class needs, as in "an apply(event) method"."""
    signatures = {"interested": "interested(event)", "new": "new(id)"}
    listed = [signatures.get(name, f"{name}(event)") for name in names]
    if len(listed) == 1:
        return f"{'an' if listed[0][0] in 'ai' else 'a'} {listed[0]} method"
    return f"the methods {', '.join(listed[:-1])} and {listed[-1]}"


def _store(given: Any, kind: Callable[[Any], Any], member: str) -> Any:
    if is_a(given, Mapping) and not has(given, member):
        store = kind(a_mapping("Stack(aggregates)", given, "{'BankAccount-1': BankAccount('1')}"))
        if kind is not InMemoryVersionStore:
            _check_categories(given, store)
        return store
    if not has(given, member):
        raise InvalidValue(
            f"{repr_of(given)} cannot be a store, because it has no {member}(). Give a dict by stream id, as "
            "in {'BankAccount-1': BankAccount('1')}, or an object that implements the protocol"
        )
    return given


def _check_categories(given: Mapping[Any, Any], store: Mapping[str, Any]) -> None:
    for stream_id, state in store.items():
        name = stored_name(type(state))
        if stream_id.partition("-")[0] != name:
            raise InvalidValue(
                f"{stream_id!r} holds a {name}; its stream id must begin with the stored name of its class, "
                f"as in '{name}-{stream_id.partition('-')[2]}'"
            )


def _beginnings(given: Any) -> dict[str, Any]:
    """Where process managers begin, by stored name, after a check."""
    if not isinstance(given, Mapping):
        raise InvalidValue(
            f'process_managers_begin={repr_of(given)}: give a dict, as in {{"Greeter": "now"}}'
        )
    beginnings = {}
    for name, where in given.items():
        is_position = isinstance(where, int) and not isinstance(where, bool) and where >= 0
        if not (isinstance(name, (str, type)) and (is_position or where in ("now", "elsewhere"))):
            raise InvalidValue(
                f'process_managers_begin has {repr_of(name)}: {repr_of(where)}. Give "now", a position '
                'from 0 on (0 is the start of the history), or "elsewhere", as in {"Greeter": "now"}'
            )
        beginnings[name if isinstance(name, str) else stored_name(name)] = where
    return beginnings


def _marks(types: Any, upto: Any) -> dict[str, int]:
    """Up to which position each type of an earlier stack was handed events, by its name."""
    names = [
        stored_name(cls) for cls in a_list("Stack(delivered_types)", types, "stack.delivered_types", of=type)
    ]
    positions = a_list("Stack(delivered_upto)", upto, "stack.delivered_upto", of=int)
    if len(names) != len(positions):
        raise wrong(
            "Stack(delivered_upto)", upto, f"one position for each of {', '.join(names) or 'no types'}"
        )
    return dict(zip(names, positions, strict=True))


def _event_store(given: Any, clock: Any, ids: Any) -> Any:
    """The event store that was given or described; bare events get ids and times from the stack's sources."""
    if has(given, "append", "stream"):
        return given
    if is_a(given, Mapping):
        return InMemoryEventStore.from_streams(given, clock=clock, ids=ids)
    if is_a(given, list, tuple):
        events = a_list("Stack(event_store)", given, "store.stream(ALL)", of=RecordedEvent)
        return InMemoryEventStore.of(events, clock=clock, ids=ids)
    raise InvalidValue(
        f"{repr_of(given)} cannot be an event store. Give a list of RecordedEvents, a dict of events by "
        "stream id, or an object with append(), stream() and subscribe()"
    )
