"""How records of one class are written and read back, with a check that nothing is lost on the way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from types import NoneType
from typing import Any, NamedTuple, get_args
from uuid import UUID

import msgspec

from calamity_lab.kernel.annotations import bare, is_union
from calamity_lab.kernel.schema import field_names, fields_of, is_record
from calamity_lab.stores.serializer.annotations import Shapes
from calamity_lab.stores.serializer.codec import (
    TYPE,
    Json,
    Misfit,
    as_it_is,
    is_native,
    misfit_of,
    no_word,
    step_to,
    to_json,
    told,
)

_NAMED = f'"{TYPE}"'
_NAMED_BYTES = _NAMED.encode()
# Values of exactly these types, in a field that is annotated so, come back as they were, whatever they are.
_SURE = frozenset({str, int, bool, NoneType, Decimal, UUID, date, bytes})


# What looks at the fields of a class, or changes them, when a value is made.
_CHECKS = ("__post_init__", "__attrs_post_init__", "__attrs_attrs__")

Write = Callable[[Any], str]
Fields = Callable[[Any], Any]


class Plan(NamedTuple):
    """Writes a value as JSON, and reads one."""

    write: Write
    read: Callable[[Json], Any]


def plan_of(cls: type, shapes: Shapes) -> Plan:
    """The plan for records of that class."""
    record = shapes.record(cls)
    if not is_native(cls, shapes.hints_of) or _is_array(cls):
        return Plan(_checked(record.write, record.read, None), record.read)
    decode: Callable[[Json], Any] = msgspec.json.Decoder(cls).decode

    def read(text: Json) -> Any:
        named = _NAMED in text if isinstance(text, str) else _NAMED_BYTES in bytes(text)
        return record.read(text) if named else decode(text)

    hints = shapes.hints_of(cls)
    fields, types = _fields(list(hints)), [_types(hint) for hint in hints.values()]
    sure = [kinds for kinds in types if kinds is not None]
    if len(sure) < len(types) or any(hasattr(cls, name) for name in _CHECKS):
        return Plan(_checked(as_it_is, read, fields), read)
    return Plan(_sure(read, fields, sure), read)


def _is_array(cls: type) -> bool:
    """Whether msgspec was told to write the class without the names of its fields."""
    return issubclass(cls, msgspec.Struct) and cls.__struct_config__.array_like


def written(value: Any) -> str:
    """The JSON of what msgspec writes."""
    try:
        return str(to_json(value), "utf-8")
    except Exception as error:
        raise blame(value, error) from error


def _fields(names: list[str]) -> Fields:
    return attrgetter(*names) if len(names) > 1 else lambda value: [getattr(value, name) for name in names]


def _checked(write: Callable[[Any], Any], read: Callable[[Json], Any], fields: Fields | None) -> Write:
    """Writes, and reads at once what was written: an event that nobody can read must not be recorded."""

    def checked(value: Any) -> str:
        text = written(write(value))
        _check(value, text, read, fields)
        return text

    return checked


def _sure(read: Callable[[Json], Any], fields: Fields, allowed: list[frozenset[type]]) -> Write:
    """Like `_checked`, but not for types of values of which it is sure; so most messages cost half."""
    known: set[tuple[type, ...]] = set()

    def sure(value: Any) -> str:
        text = written(value)
        found = tuple(map(type, fields(value)))
        if found not in known:
            _check(value, text, read, fields)
            if all(cls in types for cls, types in zip(found, allowed, strict=True)):
                known.add(found)
        return text

    return sure


def _check(value: Any, text: str, read: Callable[[Json], Any], fields: Fields | None) -> None:
    try:
        found = read(text)
    except Exception as error:
        misfit = misfit_of(error)
        problem = f"{misfit.problem} when it is read back; annotate it as what it holds"
        # A number that JSON has no word for differs from itself, and is the better explanation.
        raise difference(value, value) or Misfit(problem, misfit.path) from error
    if fields is not None and _equal(fields, value, found):
        return
    lost = difference(value, found)
    if lost is not None:
        raise lost


def _equal(fields: Fields, value: Any, found: Any) -> bool:
    try:
        return bool(fields(value) == fields(found))
    except Exception:  # noqa: BLE001 - equality may be the user's own, and raise what it likes
        return False


def _types(hint: Any) -> frozenset[type] | None:
    hint = bare(hint)
    if is_union(hint):
        parts = [_types(part) for part in get_args(hint)]
        return frozenset[type]().union(*(part for part in parts if part)) if all(parts) else None
    if hint in _SURE or (isinstance(hint, type) and issubclass(hint, Enum)):
        return frozenset({hint})
    return None


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
