"""Values read back from the texts that they are written as, as the id in a stream id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, time
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
    elif isinstance(wanted, type) and get_origin(wanted) is None and wanted is not NoneType:
        yield from _members(wanted, text) if issubclass(wanted, Enum) else _of_class(wanted, text)


def _of_class(wanted: type, text: str) -> Iterator[Any]:
    for value in _made(wanted, text):
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


def _writings(value: Any) -> set[str]:
    """The texts that a value is written as."""
    isoformat = getattr(value, "isoformat", None)
    return {f"{value}", *([isoformat()] if callable(isoformat) else [])}


def _members(wanted: type[Enum], text: str) -> list[Enum]:
    """The members that a text means: one that is written so, else those that have it as value or as name."""
    exact = [member for member in wanted if f"{member}" == text]
    return exact or [member for member in wanted if text in (str(member.value), member.name)]
