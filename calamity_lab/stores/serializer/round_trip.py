"""How records of one class are written and read back, with a check that nothing is lost on the way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from types import NoneType
from typing import Any, NamedTuple, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from calamity_lab.kernel.annotations import bare, is_union, union_members
from calamity_lab.kernel.schema import field_names, fields_of, is_record, kind_of
from calamity_lab.stores.serializer.annotations import CodecTable
from calamity_lab.stores.serializer.codec import (
    TYPE,
    Json,
    Misfit,
    is_for_msgspec,
    misfit_of,
    not_json,
    short_repr,
    step_to,
    to_json,
    unchanged,
)

_NAMED = f'"{TYPE}"'
_NAMED_BYTES = _NAMED.encode()
# A value of exactly one of these types, in a field with that annotation, always comes back as it was.
_SURE = frozenset({str, int, bool, NoneType, Decimal, UUID, date, bytes})


# What a class may have that checks or changes the fields of a new value.
_CHECKS = ("__post_init__", "__attrs_post_init__")

Write = Callable[[Any], str]
Fields = Callable[[Any], Any]
Same = Callable[[Any, Any], bool]
_TIMES = frozenset({datetime, time})


class MessageCodec(NamedTuple):
    """Writes messages of one class as JSON, and reads them."""

    write: Write
    read: Callable[[Json], Any]


def message_codec(cls: type, codecs: CodecTable) -> MessageCodec:
    """The codec for messages of that class."""
    record = codecs.record(cls)
    zoned = codecs.zoned.record(cls).write
    if not is_for_msgspec(cls, codecs.annotations_of) or _is_array(cls):
        return MessageCodec(_checked(record.write, record.read, None, zoned), record.read)
    decode: Callable[[Json], Any] = msgspec.json.Decoder(cls).decode

    def read(text: Json) -> Any:
        named = _NAMED in text if isinstance(text, str) else _NAMED_BYTES in bytes(text)
        return record.read(text) if named else decode(text)

    annotations = codecs.annotations_of(cls)
    fields, types = _fields(list(annotations)), [_types(annotation) for annotation in annotations.values()]
    sure = [kinds for kinds in types if kinds is not None]
    if len(sure) < len(types) or kind_of(cls) == "attrs" or any(hasattr(cls, name) for name in _CHECKS):
        return MessageCodec(_checked(unchanged, read, _same_fields(fields, annotations, codecs), zoned), read)
    return MessageCodec(_sure(read, fields, sure), read)


def _same_fields(fields: Fields, annotations: Mapping[str, Any], codecs: CodecTable) -> Same | None:
    """A quick way to see that a value was read back as it was; None where times may be deep in it."""
    times = [name for name, annotation in annotations.items() if set(union_members(annotation)) & _TIMES]
    parts = [part for each in annotations.values() for part in union_members(each) if part not in _TIMES]
    if any(_holds_time(part, codecs, frozenset()) for part in parts):
        return None
    if not times:
        return lambda value, found: _equal(fields, value, found)
    return lambda value, found: (
        _equal(fields, value, found)
        and not any(_zone_difference(getattr(value, name), getattr(found, name), "") for name in times)
    )


def _holds_time(annotation: Any, codecs: CodecTable, above: frozenset[Any]) -> bool:
    """Whether values with that annotation may hold times, which are equal without their zones."""
    annotation = bare(annotation)
    if isinstance(annotation, type) and field_names(annotation) is not None and annotation not in above:
        parts: Iterable[Any] = codecs.annotations_of(annotation).values()
        return any(_holds_time(part, codecs, above | {annotation}) for part in parts)
    return annotation in _TIMES or any(_holds_time(part, codecs, above) for part in get_args(annotation))


def _is_array(cls: type) -> bool:
    """Whether msgspec writes the class as an array, without the names of its fields."""
    return issubclass(cls, msgspec.Struct) and cls.__struct_config__.array_like


def written(value: Any) -> str:
    """A value as JSON text. Raises `Misfit` with the part that msgspec cannot write."""
    try:
        return str(to_json(value), "utf-8")
    except Exception as error:
        raise unwritable_part(value, error) from error


def _fields(names: list[str]) -> Fields:
    return attrgetter(*names) if len(names) > 1 else lambda value: [getattr(value, name) for name in names]


def _checked(
    write: Callable[[Any], Any],
    read: Callable[[Json], Any],
    same: Same | None,
    zoned: Callable[[Any], Any],
) -> Write:
    """Write and read back at once: an event that nobody can read must not be recorded.

    A value whose times would lose their zones is written by ``zoned``.
    """

    def checked(value: Any) -> str:
        text = written(write(value))
        try:
            _check(value, text, read, same)
        except ZoneLost:
            text = written(zoned(value))
            _check(value, text, read, same)
        return text

    return checked


def _sure(read: Callable[[Json], Any], fields: Fields, allowed: list[frozenset[type]]) -> Write:
    """Like `_checked`, but without the check for types of values that passed it; most messages cost half."""
    known: set[tuple[type, ...]] = set()

    def same(value: Any, found: Any) -> bool:
        return _equal(fields, value, found)

    def sure(value: Any) -> str:
        text = written(value)
        found = tuple(map(type, fields(value)))
        if found not in known:
            _check(value, text, read, same)
            if all(cls in types for cls, types in zip(found, allowed, strict=True)):
                known.add(found)
        return text

    return sure


def _check(value: Any, text: str, read: Callable[[Json], Any], same: Same | None) -> None:
    try:
        found = read(text)
    except Exception as error:
        misfit = misfit_of(error)
        problem = f"{misfit.problem} when it is read back. Annotate the field with the type that it holds"
        # A number that JSON cannot hold differs from itself, and is the better explanation.
        raise difference(value, value) or Misfit(problem, misfit.path) from error
    if same is not None and same(value, found):
        return
    lost = difference(value, found)
    if lost is not None:
        raise lost


def _equal(fields: Fields, value: Any, found: Any) -> bool:
    try:
        return bool(fields(value) == fields(found))
    except Exception:  # noqa: BLE001 - equality may be the user's own, and raise what it likes
        return False


def _types(annotation: Any) -> frozenset[type] | None:
    annotation = bare(annotation)
    if is_union(annotation):
        parts = [_types(part) for part in get_args(annotation)]
        return frozenset[type]().union(*(part for part in parts if part)) if all(parts) else None
    if annotation in _SURE or (isinstance(annotation, type) and issubclass(annotation, Enum)):
        return frozenset({annotation})
    return None


class ZoneLost(Misfit):
    """A time that would be read back without its zone or its fold."""


class _Lost:
    """Stands for a part of a value that is not read back."""

    def __repr__(self) -> str:
        return "nothing"


_LOST = _Lost()
_DEEPEST = 40


def difference(value: Any, found: Any, path: str = "") -> Misfit | None:
    """Where the value that was read differs from the one that was written; None if nowhere.

    A list may come back as a tuple and the other way round, where the annotation says so.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return Misfit(f"JSON cannot hold {value}. Use None, or a Decimal", path)
    pairs = _pairs(value, found)
    if pairs is None:
        lost = _zone_difference(value, found, path)
        if lost is not None or value is found or _same(value, found):
            return lost
        return Misfit(
            f"{short_repr(value)} would be read back as {short_repr(found)}. "
            "Annotate the field with the type that it holds",
            path,
        )
    for step, mine, theirs in pairs:
        differs = difference(mine, theirs, f"{path}{step}")
        if differs is not None:
            return differs
    return None


def _pairs(value: Any, found: Any) -> Iterator[tuple[str, Any, Any]] | None:
    """The parts of both values, side by side; None where they do not have the same parts."""
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
        return _items(value, found)
    if isinstance(value, (set, frozenset)) and isinstance(found, (set, frozenset)):
        there = {item: item for item in found}
        return (
            (("[...]", item, there.get(item, _LOST)) for item in value) if len(value) == len(found) else None
        )
    return None


def _items(value: dict[Any, Any], found: dict[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The keys and the values of two dicts, side by side."""
    there = {key: key for key in found}
    texts = {str(key): key for key in found}
    for key, item in value.items():
        if type(key) is not str or key not in found:
            yield f"[{short_repr(key)}, a key]", key, there.get(key, texts.get(str(key), _LOST))
        yield step_to(key), item, found.get(key, _LOST)


def _zone_difference(value: Any, found: Any, path: str) -> Misfit | None:
    """Whether a time lost its zone or its fold; times of one instant are equal without them."""
    if not isinstance(value, (datetime, time)):
        return None
    mine, theirs = value.tzinfo, getattr(found, "tzinfo", None)
    same = mine is theirs or (
        mine is not None and theirs is not None and _zone_key(mine) == _zone_key(theirs) is not None
    )
    if same and value.fold == getattr(found, "fold", value.fold):
        return None
    return ZoneLost(f"{short_repr(value)} would be read back as {short_repr(found)}", path)


def _zone_key(zone: tzinfo) -> Any:
    """What makes two zones the same: the name of a zone, or the offset of one that has always the same."""
    return zone.key if isinstance(zone, ZoneInfo) else zone.utcoffset(None)


def _same(value: Any, found: Any) -> bool:
    if isinstance(value, Decimal) and isinstance(found, Decimal) and value.is_nan():
        return str(value) == str(found)
    try:
        return bool(value == found)
    except Exception:  # noqa: BLE001 - equality may be the user's own; what cannot be compared is not the same
        return False


def unwritable_part(value: Any, error: Exception, path: str = "") -> Misfit:
    """The smallest part of a value that msgspec cannot write, with the reason."""
    for step, part in _parts(value) if path.count(".") + path.count("[") < _DEEPEST else ():
        try:
            to_json(part)
        except Exception as inner:  # noqa: BLE001 - any error is reported with its path
            return unwritable_part(part, inner, f"{path}{step}")
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
        return f"{short_repr(value)} has a lone surrogate, which is not a character. Give whole characters"
    if isinstance(error, TypeError):
        return not_json(value)
    return misfit_of(error).problem
