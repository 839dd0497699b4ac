"""What a field's type asks for: the one place where type annotations are read.

Forms show it, parsing reads values into it, and probing makes values of it.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

from calamity_lab.kernel.annotations import Unresolved, bare, is_union
from calamity_lab.kernel.schema import is_message_class
from calamity_lab.text import format_value

Kind = Literal[
    "text", "integer", "number", "decimal", "boolean", "date", "datetime", "choice", "group", "list"
]

ATOMS: dict[type, tuple[Kind, str]] = {
    str: ("text", ""),
    int: ("integer", "a whole number, as in 42"),
    float: ("number", "a number, as in 1.5"),
    bool: ("boolean", ""),
    Decimal: ("decimal", "a decimal number, as in 12.50"),
    date: ("date", "a date, as in 2026-03-01"),
    datetime: ("datetime", "a date and time, as in 2026-03-01T14:30"),
    time: ("text", "a time, as in 14:30"),
    UUID: ("text", "a UUID, as in 12345678-1234-5678-1234-567812345678"),
}

_CONTAINERS: dict[Any, type] = {
    list: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
    collections.abc.Sequence: tuple,
    collections.abc.Collection: tuple,
    collections.abc.Iterable: tuple,
    collections.abc.MutableSequence: list,
    collections.abc.Set: frozenset,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What values a type takes.

    ``atom`` is the type of a single value (None: unknown, any text will do), ``choices`` the values to
    choose from by label, ``record`` the class of a group, ``item`` and ``container`` what a list holds and
    is made into; ``alternatives`` are the members of a union, of which the first that fits is taken.
    """

    kind: Kind
    hint: str = ""
    optional: bool = False
    atom: type | None = None
    choices: tuple[tuple[str, Any], ...] = ()
    record: type | None = None
    item: Shape | None = None
    container: type = tuple
    alternatives: tuple[Shape, ...] = ()


def shape(hint: Any) -> Shape:
    """The shape of the values that a type annotation, already resolved, allows."""
    hint = bare(hint)
    if isinstance(hint, type) and hint in ATOMS:
        kind, told = ATOMS[hint]
        return Shape(kind, told, atom=hint)
    if hint is None or hint is type(None):
        return Shape("text", "nothing", optional=True)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return _literal(arguments)
    if is_union(hint):
        return _union([shape(member) for member in arguments])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Shape("choice", choices=tuple((name, member) for name, member in hint.__members__.items()))
    if (origin or hint) in _CONTAINERS:
        return _listed(origin or hint, arguments)
    if isinstance(hint, type) and is_message_class(hint):
        return Shape("group", record=hint)
    return Shape("text", _unknown(hint))


def _literal(values: tuple[Any, ...]) -> Shape:
    some = [value for value in values if value is not None]
    labels = [value if type(value) is str else format_value(value) for value in some]
    if len(set(labels)) < len(labels):  # as in Literal[1, "1"]
        labels = [repr(value) for value in some]
    return Shape("choice", optional=None in values, choices=tuple(zip(labels, some, strict=True)))


def _union(members: list[Shape]) -> Shape:
    """The only member that is more than None, or all of them as alternatives."""
    optional = any(member.optional for member in members)
    some = [member for member in members if member.kind != "text" or member.hint != "nothing"]
    if len(some) == 1:
        return _optional(some[0], optional=optional)
    hint = "; or ".join(dict.fromkeys(described(member) for member in some))
    return Shape("text", hint, optional, alternatives=tuple(some))


def _optional(member: Shape, *, optional: bool) -> Shape:
    return Shape(
        member.kind,
        member.hint,
        optional,
        member.atom,
        member.choices,
        member.record,
        member.item,
        member.container,
        member.alternatives,
    )


def _listed(origin: Any, arguments: tuple[Any, ...]) -> Shape:
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return Shape(
            "text", _unknown(types.GenericAlias(tuple, arguments))
        )  # as in tuple[int, str]: each place of its own type
    item = shape(arguments[0]) if arguments else Shape("text", atom=str)
    return Shape("list", item=item, container=_CONTAINERS[origin])


def described(member: Shape) -> str:
    """What fits, in a few words."""
    if member.choices:
        return f"one of {', '.join(label for label, _ in member.choices)}"
    if member.record is not None:
        return f"the fields of {member.record.__name__}"
    if member.item is not None:
        return "a list"
    return member.hint or ("true or false" if member.kind == "boolean" else "a text")


def is_known(asks: Shape) -> bool:
    """Whether there is a way to type a value of that shape."""
    return asks.kind != "text" or asks.atom is not None or bool(asks.alternatives)


def _unknown(hint: Any) -> str:
    if hint in (Any, object):
        return "any text"
    name = hint.text if isinstance(hint, Unresolved) else getattr(hint, "__name__", None) or repr(hint)
    if typing.get_origin(hint) is not None:
        name = repr(hint)
    return f"{name}: given as text"
