"""An event whose class is not known: its fields as they were stored, under the name of the type it was."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn


class _Beside:
    """Something told about an event beside its fields; a field of the same name comes first."""

    def __init__(self, slot: str) -> None:
        self.slot = slot

    def __get__(self, event: Any, owner: type | None = None) -> Any:
        return self if event is None else getattr(event, self.slot)


class UnknownEvent:
    """An event whose class is not known, so that a history can be seen without its code.

    Its fields are attributes, with the values that JSON has; ``event_type`` and ``version`` tell what it
    was stored as. Each stored type has a class of its own here, named as that type was, so that the event
    shows everywhere as what it was. Two are equal whose type, version and fields are.
    """

    __slots__ = ("__dict__", "_stored_text", "_stored_version")

    __calamity_unknown__ = True  # so that no aggregate takes it for one of the events that it knows
    event_type = ""
    version = _Beside("_stored_version")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).event_type} is an event of the past: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).event_type} is an event of the past: {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UnknownEvent):
            return NotImplemented
        return _told(self) == _told(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((_told(self), frozenset(self.__dict__)))

    def __reduce__(self) -> tuple[Any, ...]:
        name, version, text = stored(self)
        return unknown, (name, version, dict(self.__dict__), text)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).event_type}({fields})"


def unknown(name: str, version: int, fields: Mapping[str, Any], text: str) -> UnknownEvent:
    """The event of that type, with those fields; ``text`` is how they were stored."""
    event: UnknownEvent = object.__new__(_class(name))
    object.__setattr__(event, "_stored_text", text)
    object.__setattr__(event, "_stored_version", version)
    event.__dict__.update(fields)
    return event


def stored(event: UnknownEvent) -> tuple[str, int, str]:
    """What the event was stored as: the type's name, its version, and the text of its fields."""
    return (*_told(event), object.__getattribute__(event, "_stored_text"))


def _told(event: UnknownEvent) -> tuple[str, int]:
    return type(event).event_type, object.__getattribute__(event, "_stored_version")


@lru_cache(maxsize=4096)
def _class(name: str) -> type:
    return type(name, (UnknownEvent,), {"__slots__": (), "__module__": __name__, "event_type": name})
