"""Events without an object of their class: the class is not known, or the row is damaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NoReturn

from calamity_lab.errors import repr_of
from calamity_lab.kernel.arguments import a_mapping, a_text


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
