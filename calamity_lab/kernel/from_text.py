"""Values read back from the texts that they are written as, as the id in a stream id."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

from calamity_lab.kernel.annotations import Unresolved, bare, is_union, union_members
from calamity_lab.kernel.schema import fields_in, is_message_class

FROM_TEXT: Mapping[type, Callable[[str], Any]] = {
    bool: lambda text: {"True": True, "False": False}[text],
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
    timedelta: lambda text: _duration(text),
    **{cls: cls for cls in (int, float, Decimal, UUID)},
}
"""What makes a value of a type from the text that ``str()`` or ``isoformat()`` writes."""


def values_from_text(annotation: Any, text: str) -> list[Any]:
    """The values of the annotated type that are written as that text, each once; several if it is a union."""
    found: list[Any] = []
    for value in _read(bare(annotation), text):
        if not any(type(value) is type(known) and value == known for known in found):
            found.append(value)
    return found


def _read(wanted: Any, text: str) -> Iterator[Any]:
    if wanted is str or wanted is Any or wanted is object or isinstance(wanted, Unresolved):
        yield text
    elif get_origin(wanted) is Literal:
        yield from (value for value in get_args(wanted) if str(value) == text)
    elif is_union(wanted):
        yield from (value for member in union_members(wanted) for value in _read(member, text))
    elif get_origin(wanted) is tuple:
        yield from (value for value in _from_repr(wanted, text) if f"{value}" == text)
    elif isinstance(wanted, type) and get_origin(wanted) is None and wanted is not NoneType:
        yield from _members(wanted, text) if issubclass(wanted, Enum) else _of_class(wanted, text)


def _of_class(wanted: type, text: str) -> Iterator[Any]:
    for value in (*_made(wanted, text), *_from_repr(wanted, text)):
        if (text.lower() if wanted is UUID else text) in _writings(value):
            yield value


def _made(wanted: type, text: str) -> Iterator[Any]:
    """What a class makes of the text, itself or by way of its one field."""
    given: Iterable[Any] = (text,)
    if is_message_class(wanted):
        fields = fields_in(wanted)
        if len(fields) != 1:
            return
        given = values_from_text(str if fields[0].annotation is Any else fields[0].annotation, text)
    make = FROM_TEXT.get(wanted, wanted)
    for value in given:
        with suppress(Exception):  # a foreign class refuses a text with whatever error it likes
            yield make(value)


def _from_repr(wanted: Any, text: str) -> Iterator[Any]:
    """The value whose repr is the text, as of a tuple, of bytes or of a record with several fields."""
    with suppress(Exception):  # no repr of such a value, or a foreign class that refuses it
        yield _built(ast.parse(text, mode="eval").body, bare(wanted))


def _built(node: ast.expr, wanted: Any) -> Any:
    """The value that a part of a repr stands for. Raises `ValueError` where it is of another type."""
    if is_union(wanted):
        for member in union_members(wanted):
            with suppress(ValueError):
                return _built(node, member)
    elif isinstance(node, ast.Tuple) and get_origin(wanted) is tuple:
        kinds = get_args(wanted)
        kinds = (kinds[0],) * len(node.elts) if Ellipsis in kinds else kinds
        return tuple(_built(item, bare(kind)) for item, kind in zip(node.elts, kinds, strict=True))
    elif isinstance(node, ast.Call):
        return _called(node, wanted)
    else:
        value = ast.literal_eval(node)
        if type(value) is wanted or (value is None and wanted is NoneType):
            return value
    raise ValueError(f"{ast.unparse(node)} is no {wanted}")


def _called(node: ast.Call, wanted: Any) -> Any:
    """The value that is written as a call of its class: ``Seat(row=1, name='a')``, ``Decimal('1.5')``."""
    if ast.unparse(node.func).rpartition(".")[2] != wanted.__name__:
        raise ValueError(f"{ast.unparse(node)} is no {wanted}")
    if wanted in FROM_TEXT:
        return wanted(*map(ast.literal_eval, node.args))
    kinds = {field.name: bare(field.annotation) for field in fields_in(wanted)}
    return wanted(**{f"{name.arg}": _built(name.value, kinds[f"{name.arg}"]) for name in node.keywords})


def _duration(text: str) -> timedelta:
    """The duration that ``str()`` writes as that text, as in "1 day, 0:00:03"."""
    days, _, clock = text.rpartition(" day")
    hours, minutes, seconds = clock.removeprefix("s").removeprefix(", ").split(":")
    whole, _, part = seconds.partition(".")
    return timedelta(int(days or 0), int(whole), int(part.ljust(6, "0") or 0), 0, int(minutes), int(hours))


def _writings(value: Any) -> set[str]:
    """The texts that a value is written as."""
    isoformat = getattr(value, "isoformat", None)
    return {f"{value}", *([isoformat()] if callable(isoformat) else [])}


def _members(wanted: type[Enum], text: str) -> list[Enum]:
    """The members that a text means: one that is written so, else those that have it as value or as name."""
    exact = [member for member in wanted if f"{member}" == text]
    return exact or [member for member in wanted if text in (str(member.value), member.name)]
