"""Frozen dataclasses that are quick to make: a run of the kernel makes some thirty for each command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, cast, dataclass_transform

C = TypeVar("C", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: C) -> C:
    """A frozen dataclass with slots, made twice as quickly as the standard library makes one.

    The standard one sets each field by its name, past its own guard; this one calls the slots themselves.
    """
    made: Any = dataclass(frozen=True, slots=True)(cls)
    made.__init__ = _init(made)
    return cast("C", made)


def twin(cls: type) -> Callable[[Any], Any]:
    """A function that copies a value of that class, unchecked; for `setters` to change what shall differ."""
    names = [f.name for f in fields(cls)]
    body = "".join(f"\n    set_{name}(new, old.{name})" for name in names)
    source = f"def twin(old):\n    new = make(cls){body}\n    return new"
    known = {f"set_{name}": put for name, put in setters(cls).items()}
    copy: Callable[[Any], Any] = _compiled("twin", source, {**known, "make": object.__new__, "cls": cls})
    return copy


def setters(cls: type) -> dict[str, Callable[[Any, Any], None]]:
    """What sets each field of a value that is still in the making."""
    return {f.name: getattr(cls, f.name).__set__ for f in fields(cls)}


def _init(cls: type) -> Callable[..., None]:
    known: dict[str, Any] = {f"set_{name}": put for name, put in setters(cls).items()}
    parameters, body = ["self"], []
    for f in fields(cls):
        made = f.default_factory is not MISSING
        if made or f.default is not MISSING:
            known[f"default_{f.name}"] = f.default_factory if made else f.default
            parameters.append(f"{f.name}={'MISSING' if made else f'default_{f.name}'}")
        else:
            parameters.append(f.name)
        given = f"default_{f.name}() if {f.name} is MISSING else {f.name}" if made else f.name
        body.append(f"    set_{f.name}(self, {given})")
    source = f"def __init__({', '.join(parameters)}):\n" + ("\n".join(body) or "    pass")
    init: Callable[..., None] = _compiled("__init__", source, {**known, "MISSING": MISSING})
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {**{f.name: f.type for f in fields(cls)}, "return": None}
    return init


def _compiled(name: str, source: str, known: dict[str, Any]) -> Any:
    exec(source, known)
    return known[name]
