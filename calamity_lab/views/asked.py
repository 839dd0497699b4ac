"""What a class asks for when one of its objects is made: the arguments, their types and their defaults."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING
from dataclasses import Field as DataclassField
from enum import Enum
from typing import Any, NamedTuple


class _Missing:
    """Stands for a default that is not there."""

    def __repr__(self) -> str:
        return "no default"


NO_DEFAULT = _Missing()


class Asked(NamedTuple):
    """One argument: its type (resolved, or as written where that fails) and its default."""

    name: str
    hint: Any
    default: Any = NO_DEFAULT


def asked(cls: type, names: Mapping[str, Any] | None = None) -> tuple[Asked, ...]:
    """The arguments that a class takes, in order.

    ``names`` are further names that its annotations may use: classes that its module does not know.
    """
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return ()
    hints = _hints(cls, names or {})
    return tuple(
        Asked(
            parameter.name,
            hints.get(parameter.name, hints.get(f"_{parameter.name}", Any)),
            NO_DEFAULT if parameter.default is parameter.empty else _default(cls, parameter),
        )
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    )


def _default(cls: type, parameter: inspect.Parameter) -> Any:
    """The default as the class has it; what a factory makes, made now."""
    factory = _factory(cls, parameter.name)
    if factory is None:
        return parameter.default
    try:
        return factory()
    except Exception:  # noqa: BLE001 - a factory that fails fails again, and is told, when the object is made
        return NO_DEFAULT


def _factory(cls: type, name: str) -> Callable[[], Any] | None:
    """The default factory of a field, whatever dress its class wears."""
    field = getattr(cls, "__dataclass_fields__", {}).get(name)
    if isinstance(field, DataclassField):
        return None if field.default_factory is MISSING else field.default_factory
    for attribute in getattr(cls, "__attrs_attrs__", ()):
        if attribute.alias == name:
            return _made_by(attribute.default)
    struct_fields = getattr(cls, "__struct_fields__", ())
    if name in struct_fields:
        defaults: tuple[Any, ...] = getattr(cls, "__struct_defaults__", ())
        place = struct_fields.index(name) - len(struct_fields) + len(defaults)
        return _made_by(defaults[place]) if place >= 0 else None
    return None


def _made_by(default: Any) -> Callable[[], Any] | None:
    """The function in what attrs and msgspec call a Factory."""
    if type(default).__name__ != "Factory" or getattr(default, "takes_self", False):
        return None
    factory: Callable[[], Any] = default.factory
    return factory


def _hints(cls: type, names: Mapping[str, Any]) -> dict[str, Any]:
    """The types of the arguments, by name; where one cannot be resolved, its annotation as it was written."""
    known = _Names(cls, names)
    hints: dict[str, Any] = {}
    for annotated in (getattr(cls, "__init__", None), cls):
        try:
            hints |= typing.get_type_hints(annotated, localns=known)
        except Exception:  # noqa: BLE001 - annotations are the user's text and may name what is not there
            hints |= _one_by_one(cls, known)
    return hints


def _one_by_one(cls: type, known: _Names) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, annotation in _annotations(base).items():
            single = type(
                base.__name__, (), {"__annotations__": {name: annotation}, "__module__": base.__module__}
            )
            try:
                hints |= typing.get_type_hints(single, localns=known)
            except Exception:  # noqa: BLE001 - as above; the others are still good
                hints[name] = annotation
    return hints


def _annotations(cls: type) -> dict[str, Any]:
    try:
        return inspect.get_annotations(cls)
    except NameError:  # from Python 3.14 on they are worked out only now
        return {}


class _Names(dict[str, Any]):
    """The names that a class's annotations may use beside its module's.

    A class made inside a function knows its neighbours by names that are gone when the function is done:
    those that its methods close over, and classes that were made at the same place, where there is one only.
    """

    def __init__(self, cls: type, names: Mapping[str, Any]) -> None:
        super().__init__({cls.__name__: cls, **_closed_over(cls), **names})
        place, _, _ = cls.__qualname__.rpartition(".")
        self._place = f"{cls.__module__}.{place}" if place.endswith("<locals>") else None

    def __missing__(self, name: str) -> Any:
        found = _made_at(f"{self._place}.{name}") if self._place else []
        if len(found) != 1:
            raise KeyError(name)
        return found[0]


def _closed_over(cls: type) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for member in vars(cls).values():
        function = getattr(member, "__func__", member)
        closure = getattr(function, "__closure__", None) or ()
        names = getattr(getattr(function, "__code__", None), "co_freevars", ())
        for name, cell in zip(names, closure, strict=False):
            with suppress(ValueError):  # a name that has no value yet
                known[name] = cell.cell_contents
    return known


def _made_at(path: str) -> list[type]:
    """The living classes of that full name; `dataclass(slots=True)` leaves the one it replaces behind."""
    bases = (object, Enum, tuple, str, int)
    made = [cls for base in bases for cls in base.__subclasses__() if _path(cls) == path]
    with_slots = [cls for cls in made if "__slots__" in vars(cls)]
    return with_slots or made


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
