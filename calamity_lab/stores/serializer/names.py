"""Which class has which stored name; older versions brought up to date; events of unknown names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import ModuleType
from typing import Any, ClassVar, NoReturn

from calamity_lab.errors import InvalidModel, InvalidValue, SerializationError, repr_of
from calamity_lab.kernel.arguments import a_mapping, a_text, classes, is_a
from calamity_lab.kernel.identity import name_class, stored_name
from calamity_lab.kernel.schema import field_names
from calamity_lab.model import Model

Types = Model | ModuleType | Mapping[str, Any] | Iterable[type]


class Names:
    """The stored names of classes; a class that a cell defined again takes the place of the earlier one.

    ``parts`` are classes that stand beside messages; they go by their names unless a message does. A class
    has one stored name, `stored_name`, in every serializer; ``names`` set it.
    """

    def __init__(
        self, names: Mapping[type, str], versions: Mapping[type, int], parts: Iterable[type] = ()
    ) -> None:
        self._chosen: dict[tuple[str, str], str] = {
            _home(cls): name for cls, name in _checked("names", names, str).items()
        }
        self._versions: dict[tuple[str, str], int] = {
            _home(cls): number for cls, number in _checked("versions", versions, int).items()
        }
        self._classes: dict[str, type] = {}
        self._streams: dict[str, type] = {}
        self._seen: set[type] = set()
        self._parts: dict[str, type | None] = {}  # None for a name of two classes
        self.add_parts(parts)

    def name_of(self, cls: type) -> str:
        """The stored name of a class: the one that was given, or the class's own."""
        chosen = self._chosen.get(_home(cls))
        if chosen is not None:
            name_class(cls, chosen)
        return stored_name(cls)

    def version_of(self, cls: type) -> int | None:
        """The version that was given for the class."""
        return self._versions.get(_home(cls))

    def class_of(self, name: str) -> type | None:
        """The class with that stored name."""
        return self._classes.get(name) or self._parts.get(name)

    def knows(self, cls: type) -> bool:
        """Whether the class was added before."""
        return cls in self._seen

    def add_parts(self, classes: Iterable[type]) -> None:
        """Add classes that messages hold, as the annotation of a field names them."""
        for cls in classes:
            other = self._parts.setdefault(self.name_of(cls), cls)
            if other is not None and _home(other) != _home(cls):
                self._parts[self.name_of(cls)] = None
            elif other is not None and not _is_current(other):
                self._parts[self.name_of(cls)] = cls

    def by_class_name(self) -> dict[str, type]:
        """The classes by their names in Python."""
        return {cls.__name__: cls for cls in (*self._parts.values(), *self._classes.values()) if cls}

    def add(self, cls: type) -> None:
        """Add a class under its stored name. Raises `InvalidModel` if another class has that name.

        Of two definitions of the same class, the one that its module has by now is taken; else the later.
        """
        if cls in self._seen:
            return  # seen before, and maybe replaced since
        _claim(self._classes, self._chosen.get(_home(cls)) or stored_name(cls), cls)
        self.name_of(cls)
        self._seen.add(cls)

    def add_stream(self, cls: type) -> None:
        """Add a class whose instances have streams; two of them must not share a stored name either."""
        _claim(self._streams, self.name_of(cls), cls)


def listed(types: Types) -> list[type]:
    """The messages and states of a model, a module or a namespace; or classes and the messages they name."""
    found: Any = types
    if is_a(found, ModuleType, Mapping):
        found = Model.find(found)
    if is_a(found, Model):
        return [*found, *found.unplaced]
    found = [found] if is_a(found, type) else found
    given = classes("a serializer takes a model, a module or classes: types", found, "[FundsDeposited]")
    # One by one, since a model has no two classes of one name, but a serializer may choose other names.
    return list(dict.fromkeys([*given, *(found for cls in given for found in Model.of([cls]))]))


def parts(types: Types) -> list[type]:
    """The records and enums of a module or a namespace: what messages may hold."""
    if not is_a(types, ModuleType, Mapping):
        return []
    namespace = vars(types) if isinstance(types, ModuleType) else a_mapping("types", types, "globals()")
    home = namespace.get("__name__", "")
    return [
        value
        for value in namespace.values()
        if isinstance(value, type)
        and f"{value.__module__}.".startswith(f"{home}." if home else "")
        and (field_names(value) is not None or issubclass(value, Enum))
    ]


def _claim(claimed: dict[str, type], name: str, cls: type) -> None:
    other = claimed.get(name)
    if other is not None and _home(other) == _home(cls):
        if _is_current(other):
            return
    elif other is not None:
        raise InvalidModel(
            f"two classes have the stored name {name!r}: {_worded(other)} and {_worded(cls)}. "
            f"Give one another name, as in names={{{cls.__name__}: 'Another{cls.__name__}'}}"
        )
    claimed[name] = cls


def _is_current(cls: type) -> bool:
    """Whether the module of the class has this class under its name."""
    return getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is cls


def _home(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _worded(cls: type) -> str:
    return f"{cls.__qualname__} of {cls.__module__}"


def _checked(asked: str, given: Mapping[type, Any], wanted: type) -> Mapping[type, Any]:
    example = f"{{FundsDeposited: {'2' if wanted is int else repr('bank.FundsDeposited')}}}"
    checked = a_mapping(asked, given, example)
    for cls, value in checked.items():
        fits = is_a(cls, type) and type(value) is wanted and value
        if not fits or (wanted is int and value < 1):
            raise InvalidValue(
                f"{asked}= takes classes, as in {example}. Found {repr_of(cls)}: {repr_of(value)}"
            )
    return checked


Fields = dict[str, Any]
Upcaster = Callable[[Fields], Fields | tuple[str, Fields]]


class Upcasters:
    """Upcasters by the name and version from which each starts.

    Each takes the fields as JSON has them and returns those of the next version; with another name, as in
    ``return "bank.FundsDeposited", fields``, if the type is called so from there on. Under the other name the
    fields are those of version 1, and the upcasters of that name go on from there.
    """

    def __init__(self, given: Mapping[tuple[str, int], Upcaster]) -> None:
        example = "{('bank.FundsDeposited', 1): with_currency}"
        self._given = a_mapping("upcasters", given, example)
        for start, upcaster in self._given.items():
            if not _is_start(start) or not callable(upcaster):
                raise InvalidValue(
                    "upcasters= takes functions by the stored name and version from which they start, as in "
                    f"{example}; found {repr_of(start)}: {repr_of(upcaster)}"
                )

    def latest(self, name: str) -> int:
        """The version that the last upcaster for that name leads to; 1 where there is none."""
        return max((version + 1 for known, version in self._given if known == name), default=1)

    def start(self, name: str, version: int) -> bool:
        """Whether an upcaster starts from that name and version."""
        return (name, version) in self._given

    def step(self, name: str, version: int, fields: Fields) -> tuple[str, Fields]:
        """The name and the fields in the next version; unchanged where no upcaster starts here."""
        upcaster = self._given.get((name, version))
        if upcaster is None:
            return name, fields
        called = f"upcaster {getattr(upcaster, '__qualname__', upcaster)} for {name} version {version}"
        try:
            found = upcaster(fields)
        except Exception as error:
            raise SerializationError(f"{called} raised {type(error).__name__}: {error}") from error
        renamed, changed = found if isinstance(found, tuple) and len(found) == 2 else (name, found)
        if not isinstance(renamed, str) or not isinstance(changed, dict):
            raise SerializationError(
                f"{called} must return the fields as a dict, or a new type name and the fields; "
                f"found {repr_of(found)}"
            )
        return renamed, changed


def _is_start(start: Any) -> bool:
    return (
        isinstance(start, tuple)
        and len(start) == 2
        and isinstance(start[0], str)
        and type(start[1]) is int
        and start[1] > 0
    )


# Events without an object of their class: no class has the name, or the row is damaged.


class _Property:
    """A property of an event that is not a field; a field of the same name hides it."""

    def __init__(self, slot: str) -> None:
        self.slot = slot

    def __get__(self, event: Any, owner: type | None = None) -> Any:
        return self if event is None else getattr(event, self.slot)


class UnknownEvent:
    """An event whose class is not known, so that a history can be seen without its code.

    Its fields are attributes with JSON values; ``event_type`` and ``version`` are the stored ones.
    Each stored name has a class of its own here, so that the event has its own name everywhere. Two unknown
    events are equal if their names, versions and fields are.
    """

    __slots__ = ("__dict__", "_stored_text", "_stored_version")

    # No aggregate takes in an event with this attribute; it is the end of the message that says so.
    __calamity_unknown__ = (
        "only its name and fields are known. Give its class to the event store, as in "
        "SQLEventStore(url, [..., TheEvent])"
    )
    event_type = ""
    version = _Property("_stored_version")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).event_type} is an event of the past: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).event_type} is an event of the past: {name!r} cannot be deleted")

    def __eq__(self, other: Any) -> bool:
        if not issubclass(type(other), UnknownEvent):
            return NotImplemented
        return _name_and_version(self) == _name_and_version(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((_name_and_version(self), frozenset(self.__dict__)))

    def __reduce__(self) -> tuple[Any, ...]:
        name, version, text = stored(self)
        return unknown, (name, version, dict(self.__dict__), text)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={repr_of(value, None)}" for name, value in self.__dict__.items())
        return f"{type(self).event_type}({fields})"


@dataclass(frozen=True)
class UnreadableEvent:
    """An event whose row cannot be read, since somebody changed it by hand: why, and what the row holds.

    A store that was opened with ``unreadable="keep"`` has it in place of the event. ``row`` has the columns
    as texts. What the row lacks is a text, 0 or the first moment of 1970 in the `RecordedEvent`.
    """

    __calamity_unknown__: ClassVar[str] = (
        "its row cannot be read. Correct the row in the database, or restore it from a backup"
    )

    reason: str
    row: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", a_text("UnreadableEvent(reason)", self.reason, "'no text'"))
        object.__setattr__(self, "row", a_mapping("UnreadableEvent(row)", self.row, "{'payload': 'None'}"))

    def __repr__(self) -> str:
        return f"UnreadableEvent({repr_of(self.reason)}, {repr_of(self.row)})"

    def __hash__(self) -> int:
        return hash(self.reason)


def unknown(name: str, version: int, fields: Mapping[str, Any], text: str) -> UnknownEvent:
    """The event of that name, with those fields; ``text`` is the stored text of the fields."""
    event: UnknownEvent = object.__new__(_class(name))
    object.__setattr__(event, "_stored_text", text)
    object.__setattr__(event, "_stored_version", version)
    event.__dict__.update(fields)
    return event


def stored(event: UnknownEvent) -> tuple[str, int, str]:
    """The stored name, version and text of the event."""
    return (*_name_and_version(event), object.__getattribute__(event, "_stored_text"))


def _name_and_version(event: UnknownEvent) -> tuple[str, int]:
    return type(event).event_type, object.__getattribute__(event, "_stored_version")


@lru_cache(maxsize=4096)
def _class(name: str) -> type:
    return type(name, (UnknownEvent,), {"__slots__": (), "__module__": __name__, "event_type": name})
