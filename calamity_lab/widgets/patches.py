"""What changed of a view since it was last sent, as plain JSON values."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def patch(before: Any, after: Any) -> dict[str, Any]:
    """The fields of a view (a dataclass) that differ from what was sent before; all where that is None."""
    return {
        name: plain(getattr(after, name))
        for name in _names(type(after))
        if before is None or getattr(before, name) != getattr(after, name)
    }


def plain(value: Any) -> Any:
    """A view's value as JSON knows it: records as objects, tuples as lists."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if is_dataclass(value):
        return {name: plain(getattr(value, name)) for name in _names(type(value))}
    raise TypeError(f"a view holds plain values only; found {type(value).__name__}")


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))
