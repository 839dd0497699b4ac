"""What is lost when a value is written and read back: so that nothing is, unnoticed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any

from calamity_lab.kernel.fields import field_names, fields_of, is_record
from calamity_lab.stores.serializer.codec import Misfit, misfit_of, no_word, step_to, to_json, told

_LOST = object()
_DEEPEST = 40


def difference(value: Any, found: Any, path: str = "") -> Misfit | None:
    """Where what was read differs from what was written; None if nowhere.

    A list may come back as a tuple and the other way round, where the annotation says so.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return Misfit(f"JSON has no word for {value}; use None, or a Decimal", path)
    pairs = _pairs(value, found)
    if pairs is None:
        if value is found or _same(value, found):
            return None
        return Misfit(
            f"{told(value)} would be read back as {told(found)}; annotate it as what it holds", path
        )
    for step, mine, theirs in pairs:
        differs = difference(mine, theirs, f"{path}{step}")
        if differs is not None:
            return differs
    return None


def _pairs(value: Any, found: Any) -> Iterator[tuple[str, Any, Any]] | None:
    """The parts of both, side by side; None where they have no parts, or not the same."""
    if is_record(value) and not isinstance(value, (Enum, str, int, float)):
        if type(value) is not type(found):
            return None
        mine, theirs = fields_of(value), fields_of(found)
        return ((f".{name}", item, theirs.get(name, _LOST)) for name, item in mine.items())
    if isinstance(value, (list, tuple, deque)) and isinstance(found, (list, tuple, deque)):
        if len(value) != len(found):
            return None
        return ((f"[{n}]", *both) for n, both in enumerate(zip(value, found, strict=True)))
    if isinstance(value, dict) and isinstance(found, dict):
        if len(value) != len(found):
            return None
        return ((step_to(key), item, found.get(key, _LOST)) for key, item in value.items())
    return None


def _same(value: Any, found: Any) -> bool:
    if isinstance(value, Decimal) and isinstance(found, Decimal) and value.is_nan():
        return str(value) == str(found)
    try:
        return bool(value == found)
    except Exception:  # noqa: BLE001 - equality may be the user's own; what cannot be compared is not the same
        return False


def blame(value: Any, error: Exception, path: str = "") -> Misfit:
    """The smallest part of a value that msgspec does not write, and why."""
    for step, part in _parts(value) if path.count(".") + path.count("[") < _DEEPEST else ():
        try:
            to_json(part)
        except Exception as inner:  # noqa: BLE001 - whatever it is, it is told where it comes from
            return blame(part, inner, f"{path}{step}")
    return Misfit(_why(value, error), path)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((step_to(key), item) for key, item in value.items())
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        yield from ((f"[{n}]", item) for n, item in enumerate(value))
    elif field_names(type(value)) is not None:
        yield from ((f".{name}", item) for name, item in fields_of(value).items())


def _why(value: Any, error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return f"{told(value)} has a lone surrogate, which is no character; give whole characters"
    if isinstance(error, TypeError):
        return no_word(value)
    return misfit_of(error).problem
