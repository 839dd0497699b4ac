"""What a modeller writes besides plain classes: the target of a command, the verbs of a process manager."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from calamity_lab.errors import InvalidModel, UnresolvedTarget

C = TypeVar("C", bound=type)


@dataclass(frozen=True, slots=True)
class Start:
    """The event starts the instance with this id, or continues it where it runs already."""

    id: Any


@dataclass(frozen=True, slots=True)
class Continue:
    """The event continues the instance with this id; where there is none, nothing happens."""

    id: Any


@dataclass(frozen=True, slots=True)
class Stop:
    """The event ends the instance with this id, without ``apply`` or ``handle``."""

    id: Any


Interest = Start | Continue | Stop


def command(*, to: type | str, by: str) -> Callable[[C], C]:
    """Give a class its ``aggregate()``: commands of it go to the aggregate type ``to``, by the field ``by``.

    ``to`` may be the class's name; it is looked up in the command's module when it is first used.
    After Calamity's ``@derive {Calamity.Command, mod: ..., key: ...}``.
    """
    if not isinstance(to, (type, str)):
        raise InvalidModel(f"@command(to={to!r}): 'to' is the aggregate's class or its name")
    scope = sys._getframe(1).f_locals

    def decorate(cls: C) -> C:
        if not _has_field(cls, by):
            fields = ", ".join(getattr(cls, "__annotations__", {})) or "none"
            raise InvalidModel(
                f"@command(by={by!r}): {cls.__name__} has no field {by!r} (its fields: {fields})"
            )
        target = to

        def aggregate(self: Any) -> tuple[type, Any]:
            """The aggregate that this command is for: its type and id."""
            nonlocal target
            if isinstance(target, str):
                target = _resolved(target, type(self), scope)
            return target, getattr(self, by)

        cls.aggregate = aggregate  # type: ignore[attr-defined]
        return cls

    return decorate


def _has_field(cls: type, name: str) -> bool:
    return hasattr(cls, name) or any(name in getattr(base, "__annotations__", {}) for base in cls.__mro__)


def _resolved(name: str, cls: type, scope: dict[str, Any]) -> type:
    found = scope.get(name) or getattr(sys.modules.get(cls.__module__), name, None)
    if not isinstance(found, type):
        raise UnresolvedTarget(
            f"{cls.__name__}.aggregate",
            f"looks for the aggregate {name!r}, but {cls.__module__} has no class of that name; "
            f"define it there, or give the class itself: @command(to={name}, ...)",
        )
    return found
