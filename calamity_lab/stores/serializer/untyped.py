"""Values of which no annotation tells what they are.

What JSON has a word for is written as it is: texts, numbers, truth values, None, lists, and dicts with texts
as keys. Everything else is written with the name of its type, ``{"_type": "Decimal", "_value": "1.5"}``
or, for a record, ``{"_type": "Address", "street": ...}``, so that it is read back as what it was. A record
whose class is not known stays what JSON has: a dict.
"""

from __future__ import annotations

from collections import deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any
from uuid import UUID

from calamity_lab.stores.serializer.codec import (
    TYPE,
    VALUE,
    Codec,
    Codecs,
    Json,
    Misfit,
    at,
    from_json,
    no_word,
    step_to,
    to_json,
    without_type,
)
from calamity_lab.stores.serializer.records import is_record_class

_AS_THEY_ARE = frozenset({str, int, float, bool, NoneType})
_NAMED: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        Decimal, UUID, datetime, date, time, timedelta, bytes,
        tuple, set, frozenset, dict, deque,
    )
}  # fmt: skip


def untyped(codecs: Codecs) -> Codec:
    """The codec for them."""
    return Codec(lambda value: write(value, codecs), lambda text: read(text, codecs))


def write(value: Any, codecs: Codecs) -> Any:
    """The value as something that msgspec writes."""
    cls = type(value)
    if cls in _AS_THEY_ARE:
        return value
    if cls is list:
        return [at(f"[{n}]", lambda item: write(item, codecs), item) for n, item in enumerate(value)]
    if cls is dict and TYPE not in value and all(type(key) is str for key in value):
        return {key: at(step_to(key), lambda item: write(item, codecs), item) for key, item in value.items()}
    return tagged(value, cls, codecs)


def tagged(value: Any, cls: type, codecs: Codecs) -> dict[str, Any]:
    """The value with the name of its class: beside its fields, where it has some."""
    name = cls.__name__
    if _NAMED.get(name) is cls:
        return {TYPE: name, VALUE: _pairs(value, codecs) if cls is dict else codecs.of(cls).write(value)}
    is_record = is_record_class(cls)
    if not is_record and not issubclass(cls, (Enum, str, int, float)):
        raise Misfit(no_word(value))
    name = codecs.claim(cls)
    if name in _NAMED:
        raise Misfit(
            f"{name} of {cls.__module__} needs another name here, as in names={{{name}: 'my.{name}'}}"
        )
    if is_record:
        return with_fields(name, codecs.record(cls).write(value))
    return {TYPE: name, VALUE: codecs.of(cls).write(value)}


def with_fields(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record with the name of its class."""
    if TYPE in fields:
        raise Misfit(f"{name} has a field {TYPE!r}, under which its name would stand")
    return {TYPE: name, **fields}


def _pairs(value: dict[Any, Any], codecs: Codecs) -> list[list[Any]]:
    return [[write(key, codecs), at(step_to(key), lambda v: write(v, codecs), v)] for key, v in value.items()]


def read(text: Json, codecs: Codecs) -> Any:
    """The value that was written so."""
    return revived(from_json(text), codecs)


def revived(plain: Any, codecs: Codecs) -> Any:
    """The value of which JSON has this."""
    if isinstance(plain, list):
        return [revived(item, codecs) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if TYPE not in plain:
        return {key: revived(item, codecs) for key, item in plain.items()}
    return _known(plain, codecs)


def _known(plain: dict[str, Any], codecs: Codecs) -> Any:
    name = plain[TYPE]
    if name == "dict":
        return {revived(key, codecs): revived(item, codecs) for key, item in plain[VALUE]}
    cls = _NAMED.get(name) or codecs.class_of(name)
    if cls is None:
        return plain
    if is_record_class(cls):
        return codecs.record(cls).read(without_type(plain))
    return codecs.of(cls).read(to_json(plain.get(VALUE)))
