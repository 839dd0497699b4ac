"""The fields of a message or a state, whatever dress its class wears.

Dataclasses, attrs and msgspec classes, named tuples and plain objects; messages are known by name and
fields, so this is the one place that knows how each is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any


def field_names(cls: type) -> tuple[str, ...] | None:
    """The declared fields of a class, in order; None where it declares none."""
    if hasattr(cls, "__dataclass_fields__"):
        return tuple([f.name for f in fields(cls)])  # which leaves out class variables
    for attribute in ("__struct_fields__", "_fields"):
        names: Iterable[str] | None = getattr(cls, attribute, None)
        if names is not None:
            return tuple(names)
    attrs = getattr(cls, "__attrs_attrs__", None)
    return None if attrs is None else tuple(a.name for a in attrs)


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a value by name; a mapping is its own fields, a value without fields has none."""
    names = field_names(type(value))
    if names is not None:
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    return dict(getattr(value, "__dict__", {}))


def is_record(value: Any) -> bool:
    """Whether a value has named fields of its own, and is not a class, a number, a text or a container."""
    cls = type(value)
    if cls.__module__ == "builtins" or isinstance(value, type):
        return False
    return field_names(cls) is not None or hasattr(value, "__dict__")
