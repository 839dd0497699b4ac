"""Unions that msgspec alone cannot tell apart, as of several records, or of a text and a `UUID`.

In these, texts, numbers, truth values and None are written as they are, and every other member with the name
of its type, as values are that no annotation tells of. An optional value of one type needs no name. Where a
name is missing, as in what was written before the union got further members, the first member that can be
made of it is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from calamity_lab.stores.serializer.codec import (
    TYPE,
    VALUE,
    Codec,
    Codecs,
    Json,
    Misfit,
    from_json,
    misfit_of,
    to_json,
    without_type,
)
from calamity_lab.stores.serializer.native import JSONS_OWN, UNIONS, bare, can_be_read, natively
from calamity_lab.stores.serializer.records import is_record_class
from calamity_lab.stores.serializer.untyped import with_fields


@dataclass(frozen=True, slots=True)
class Member:
    """One type of a union: the name that is written with its values, and their codec."""

    name: str
    is_record: bool
    codec: Codec

    def write(self, value: Any) -> dict[str, Any]:
        """The value with the name of its type."""
        written = self.codec.write(value)
        return with_fields(self.name, written) if self.is_record else {TYPE: self.name, VALUE: written}

    def read(self, plain: dict[str, Any]) -> Any:
        """The value that was written with the name of its type."""
        if self.is_record:
            return self.codec.read(without_type(plain))
        return self.codec.read(to_json(plain.get(VALUE)))


@dataclass(frozen=True, slots=True)
class UnionShape:
    """The members of a union by their class and by their name; ``own`` reads what JSON has a word for."""

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
            return value
        for base, member in self.members.items():
            if isinstance(value, base) and not member.is_record:
                return member.write(value)
        return self.rest.write(value)

    def read(self, text: Json) -> Any:
        """The value that was written so."""
        plain = from_json(text)
        if isinstance(plain, dict) and TYPE in plain:
            named = self.by_name.get(plain[TYPE])
            return self.rest.read(text) if named is None else named.read(plain)
        own = [] if isinstance(plain, (dict, list)) else [self.own]
        return _first([*own, *(member.codec for member in self.members.values())], text)


def union(hint: Any, codecs: Codecs) -> Codec:
    """The codec for values that are annotated so."""
    parts = list(_flat(hint))
    if any(part is Any or part is object or isinstance(part, TypeVar) for part in parts):
        return codecs.of(Any)
    others = [part for part in parts if part is not NoneType]
    if len(others) == 1:
        return _optional(codecs.of(others[0]))
    own = [part for part in parts if part in JSONS_OWN or get_origin(part) is Literal]
    members = _members([part for part in parts if part not in own], codecs)
    by_name = {member.name: member for member in members.values()}
    if len(by_name) < len(members):
        raise Misfit(f"two members of {hint} go by the same name; choose another for one with names={{...}}")
    shape = UnionShape(members, by_name, _own(own, codecs), codecs.of(Any))
    return Codec(shape.write, shape.read)


def _flat(hint: Any) -> Iterator[Any]:
    for part in map(bare, get_args(hint)):
        if get_origin(part) in UNIONS:
            yield from _flat(part)
        else:
            yield NoneType if part is None else part


def _members(parts: Sequence[Any], codecs: Codecs) -> dict[type, Member]:
    members: dict[type, Member] = {}
    for part in parts:
        cls = get_origin(part) or part
        if not isinstance(cls, type):
            continue  # values of it are written as those that no annotation tells of
        known = cls in members  # as list[int] and list[str], which no value tells apart
        is_record = is_record_class(cls)
        codec = codecs.record(cls) if is_record else codecs.of(cls if known else part)
        name = codecs.name_of(cls) if is_record or issubclass(cls, Enum) else cls.__name__
        members[cls] = Member(name, is_record, codec)
    return members


def _own(parts: Sequence[Any], codecs: Codecs) -> Codec:
    """What reads a text, a number, a truth value or None of a union."""
    hint = Union[tuple(parts)] if parts else None  # noqa: UP007 - of a list of types, not of names
    literals = [value for part in parts if get_origin(part) is Literal for value in get_args(part)]
    if hint is None or not can_be_read(hint) or not all(type(value) in (str, int) for value in literals):
        return codecs.of(Any)
    return natively(hint)


def _optional(codec: Codec) -> Codec:
    return Codec(
        lambda value: None if value is None else codec.write(value),
        lambda text: None if _is_null(text) else codec.read(text),
    )


def _is_null(text: Json) -> bool:
    return (text.encode() if isinstance(text, str) else bytes(text)).strip() == b"null"


def _first(codecs: Sequence[Codec], text: Json) -> Any:
    problems = []
    for codec in codecs:
        try:
            return codec.read(text)
        except Exception as error:  # noqa: BLE001 - a class may check its own fields, and raise what it likes
            problems.append(misfit_of(error).problem)
    raise Misfit(f"no member of the union can be made of it ({'; '.join(problems)})")
