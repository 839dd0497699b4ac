"""How the records of one class are written and read: as quickly as can be, and so that nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin
from uuid import UUID

import msgspec

from calamity_lab.stores.serializer.codec import TYPE, Json, Misfit, as_it_is, misfit_of, to_json
from calamity_lab.stores.serializer.faithful import blame, difference
from calamity_lab.stores.serializer.native import UNIONS, bare, is_native
from calamity_lab.stores.serializer.shapes import Shapes

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
    if get_origin(hint) in UNIONS:
        parts = [_types(part) for part in get_args(hint)]
        return frozenset[type]().union(*(part for part in parts if part)) if all(parts) else None
    if hint in _SURE or (isinstance(hint, type) and issubclass(hint, Enum)):
        return frozenset({hint})
    return None
