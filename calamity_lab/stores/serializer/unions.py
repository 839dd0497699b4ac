"""Unions and untyped values, written with the name of their type: ``{"_type": "Decimal", "_value": "1.5"}``.

A time has its zone and its fold there too: ``{"_type": "datetime", ..., "_zone": "Europe/Berlin"}``.

A value is written so where its annotation does not tell its type: where there is none, or it is ``Any``,
and in a union whose members JSON would not tell apart, as of two records, or of a text and a `UUID`.

Texts, numbers, truth values, None, lists, and dicts with texts as keys are written as they are. A record
has the name beside its fields: ``{"_type": "Address", "street": ...}``. One of an unknown class is an error.

An optional value of one type needs no name. Where the name is missing, as in what was written before a union
got more members, the one member is taken that can have written the value; where two can, that is an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from calamity_lab.kernel.annotations import union_members
from calamity_lab.kernel.schema import fields_in
from calamity_lab.stores.serializer.codec import (
    JSONS_OWN,
    TYPE,
    VALUE,
    Codec,
    Codecs,
    Json,
    Misfit,
    at,
    beside,
    by_msgspec,
    can_be_read,
    from_json,
    misfit_of,
    not_json,
    retimed,
    step_to,
    to_json,
    without_type,
)
from calamity_lab.stores.serializer.records import is_record_class

_AS_THEY_ARE = frozenset({str, int, float, bool, NoneType})
_JSONS_OWN = {cls.__name__ for cls in JSONS_OWN}
_NAMED: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        Decimal, UUID, datetime, date, time, timedelta, bytes,
        tuple, set, frozenset, dict, deque,
    )
}  # fmt: skip


def untyped(codecs: Codecs) -> Codec:
    """The codec for values without an annotation of their type."""
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
    """The value with the name of its class, beside its fields if it has fields."""
    name = cls.__name__
    if _NAMED.get(name) is cls:
        inner: Any = _pairs(value, codecs) if cls is dict else codecs.of(cls).write(value)
        return dict(inner) if _has_type(inner) else {TYPE: name, VALUE: inner, **beside(value)}
    is_record = is_record_class(cls)
    if not is_record and not issubclass(cls, (Enum, str, int, float)):
        raise Misfit(not_json(value))
    name = codecs.claim(cls)
    if name in _NAMED:
        raise Misfit(
            f"{name} of {cls.__module__} needs another stored name, as in names={{{name}: 'my.{name}'}}"
        )
    if is_record:
        return with_fields(name, codecs.record(cls).write(value))
    return {TYPE: name, VALUE: codecs.of(cls).write(value)}


def with_fields(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record with the name of its class."""
    if TYPE in fields:
        raise Misfit(
            f"{name} has a field {TYPE!r}, which is the key for the name of the class. Rename the field"
        )
    return {TYPE: name, **fields}


def _pairs(value: dict[Any, Any], codecs: Codecs) -> list[list[Any]]:
    return [[write(key, codecs), at(step_to(key), lambda v: write(v, codecs), v)] for key, v in value.items()]


def read(text: Json, codecs: Codecs) -> Any:
    """The value that was written so."""
    return revived(from_json(text), codecs)


def revived(plain: Any, codecs: Codecs) -> Any:
    """The value that plain JSON values stand for."""
    if isinstance(plain, list):
        return [revived(item, codecs) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if TYPE not in plain:
        return {key: revived(item, codecs) for key, item in plain.items()}
    return _known(plain, codecs)


def _has_type(written: Any) -> bool:
    """Whether a value was written with the name of its type already, as a time with a zone is."""
    return isinstance(written, dict) and TYPE in written


def _known(plain: dict[str, Any], codecs: Codecs) -> Any:
    name = plain[TYPE]
    if name == "dict":
        return {revived(key, codecs): revived(item, codecs) for key, item in plain[VALUE]}
    cls = _NAMED.get(name) or codecs.class_of(name)
    if cls is None:
        if codecs.lenient or not isinstance(name, str):
            return plain
        raise Misfit(
            f"a {name} is stored here, and no class has this stored name. If its class was renamed, write "
            f"stored_name = {name!r} in the body of the class; else give the class to the store's serializer"
        )
    if is_record_class(cls):
        return codecs.record(cls).read(without_type(plain))
    value = codecs.of(cls).read(to_json(plain.get(VALUE)))
    return retimed(value, plain) if cls in (datetime, time) else value


@dataclass(frozen=True, slots=True)
class Member:
    """One type of a union: the name that is written with its values, and the codec for them."""

    name: str
    is_record: bool
    codec: Codec
    fields: frozenset[str] = frozenset()

    def write(self, value: Any) -> dict[str, Any]:
        """The value with the name of its type."""
        written = self.codec.write(value)
        if _has_type(written):  # of a subclass, or a time
            return dict(written)
        if self.is_record:
            return with_fields(self.name, written)
        return {TYPE: self.name, VALUE: written, **beside(value)}

    def could_be(self, plain: Any, value: Any) -> bool:
        """Whether the value can have been written as these plain JSON values without a name."""
        if self.is_record:
            return isinstance(plain, dict) and plain.keys() <= self.fields
        return same_json(plain, self.codec.write(value))

    def read(self, plain: dict[str, Any]) -> Any:
        """The value that was written with the name of its type."""
        if self.is_record:
            return self.codec.read(without_type(plain))
        return retimed(self.codec.read(to_json(plain.get(VALUE))), plain)


@dataclass(frozen=True, slots=True)
class UnionCodec:
    """The members of a union by class and by name; ``own`` reads what JSON itself distinguishes."""

    members: Mapping[type, Member]
    by_name: Mapping[str, Member]
    own: Codec
    rest: Codec

    def write(self, value: Any) -> Any:
        """The value as something that msgspec writes."""
        cls = type(value)
        member = self.members.get(cls)
        if member is not None:
            return member.write(value)
        if cls in JSONS_OWN:
            # A text that could be another member's must say that it is a text.
            return {TYPE: cls.__name__, VALUE: value} if self._fitting(value, to_json(value)) else value
        for base, member in self.members.items():
            if isinstance(value, base) and not member.is_record:
                return member.write(value)
        return self.rest.write(value)

    def read(self, text: Json) -> Any:
        """The value that was written so."""
        plain = from_json(text)
        if isinstance(plain, dict) and TYPE in plain:
            named = self.by_name.get(plain[TYPE])
            if named is not None:
                return named.read(plain)
            own = plain[TYPE] in _JSONS_OWN and VALUE in plain
            return self.own.read(to_json(plain[VALUE])) if own else self.rest.read(text)
        return self._unnamed(plain, text)

    def _unnamed(self, plain: Any, text: Json) -> Any:
        """The value of the one member that can have written this without its name."""
        found, problems = self._readable(text)
        fitting = [(member, value) for member, value in found if member.could_be(plain, value)]
        if not isinstance(plain, (dict, list)):
            try:
                own = self.own.read(text)
            except Exception as error:  # noqa: BLE001 - as in `_readable`
                problems.append(misfit_of(error).problem)
            else:
                if not fitting:
                    return own
                fitting.append((Member(type(own).__name__, False, self.own), own))
        fitting = fitting or found
        if not fitting:
            raise Misfit(f"no member of the union can be read from it ({'; '.join(problems)})")
        if len(fitting) > 1:
            names = " and as ".join(member.name for member, _ in fitting)
            raise Misfit(
                f"it was written before the union had these members, and can be read as {names}. Name "
                f"the type in an upcaster, as in {{{TYPE!r}: {fitting[0][0].name!r}, ...}}"
            )
        return fitting[0][1]

    def _fitting(self, plain: Any, text: Json) -> list[tuple[Member, Any]]:
        return [(member, value) for member, value in self._readable(text)[0] if member.could_be(plain, value)]

    def _readable(self, text: Json) -> tuple[list[tuple[Member, Any]], list[str]]:
        """The members that can read the text, each with what it reads, and the problems of the others."""
        found, problems = [], []
        for member in self.members.values():
            try:
                found.append((member, member.codec.read(text)))
            except Exception as error:  # noqa: BLE001 - a class may check its own fields, and raise what it likes
                problems.append(misfit_of(error).problem)
        return found, problems


def union(annotation: Any, codecs: Codecs) -> Codec:
    """The codec for a union."""
    parts = union_members(annotation)
    if any(part is Any or part is object for part in parts):
        return codecs.of(Any)
    others = [part for part in parts if part is not NoneType]
    if len(others) == 1:
        return _optional(codecs.of(others[0]))
    own = [part for part in parts if part in JSONS_OWN or get_origin(part) is Literal]
    members = _members([part for part in parts if part not in own], codecs)
    by_name = {member.name: member for member in members.values()}
    if len(by_name) < len(members):
        raise Misfit(
            f"two members of {annotation} have the same stored name. Give one another name with names={{...}}"
        )
    shape = UnionCodec(members, by_name, _own(own, codecs), codecs.of(Any))
    return Codec(shape.write, shape.read)


def _members(parts: Sequence[Any], codecs: Codecs) -> dict[type, Member]:
    members: dict[type, Member] = {}
    for part in parts:
        cls = get_origin(part) or part
        if not isinstance(cls, type):
            continue  # its values are written like values without an annotation
        known = cls in members  # as list[int] and list[str], which no value distinguishes
        is_record = is_record_class(cls)
        codec = codecs.record(cls) if is_record else codecs.of(cls if known else part)
        fields = frozenset(field.stored for field in fields_in(cls)) if is_record else frozenset[str]()
        members[cls] = Member(codecs.name_of(cls), is_record, codec, fields)
    return members


def _own(parts: Sequence[Any], codecs: Codecs) -> Codec:
    """What reads a text, a number, a truth value or None of a union."""
    annotation = Union[tuple(parts)] if parts else None  # noqa: UP007 - of a list of types, not of names
    literals = [value for part in parts if get_origin(part) is Literal for value in get_args(part)]
    if (
        annotation is None
        or not can_be_read(annotation)
        or not all(type(value) in (str, int) for value in literals)
    ):
        return codecs.of(Any)
    return by_msgspec(annotation)


def _optional(codec: Codec) -> Codec:
    return Codec(
        lambda value: None if value is None else codec.write(value),
        lambda text: None if _is_null(text) else codec.read(text),
    )


def _is_null(text: Json) -> bool:
    return (text.encode() if isinstance(text, str) else bytes(text)).strip() == b"null"


def same_json(plain: Any, written: Any) -> bool:
    """Whether plain JSON values are what a codec writes."""
    try:
        return type(plain) is type(again := from_json(to_json(written))) and bool(plain == again)
    except Exception:  # noqa: BLE001 - what cannot be written is not the same
        return False
