"""Values as texts for people: short, plain, the same for the same value.

A text is data: it is never escaped here, and whoever draws it must not read it as markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from calamity_lab.kernel.fields import field_names, fields_of

NOTHING = "–"

_DEEPEST = 6
# Python refuses to write out integers of more digits; nobody reads them either.
_LONGEST_INT = 10**4000
_MOST_ZEROS = 20
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _whole(value: int) -> str:
    if -_LONGEST_INT < value < _LONGEST_INT:
        return str(value)
    return f"a whole number of {value.bit_length():,} bits"


def _decimal(value: Decimal) -> str:
    """As people write it: without an exponent, unless that would be a row of zeros."""
    short = (
        value.is_finite()
        and abs(value.adjusted()) <= _MOST_ZEROS
        and int(value.as_tuple().exponent) >= -_MOST_ZEROS
    )
    return f"{value:f}" if short else str(value)


def _duration(value: timedelta) -> str:
    """A negative one is a sign before a length: Python counts whole days back, and then on again."""
    return f"-{-value}" if value < timedelta(0) else str(value)


# What most fields hold, told by exactly these types without further questions.
_PLAIN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: NOTHING,
    str: repr,
    int: _whole,
    bool: str,
    float: repr,
    Decimal: _decimal,
    date: str,
    time: str,
    timedelta: _duration,
    UUID: str,
    datetime: lambda value: value.isoformat(sep=" "),
}


def shown(value: Any, length: int | None = None) -> str:
    """A value as a text: a text bare, an enum member by its name, nothing as a dash, records by their fields.

    Inside other values, texts are quoted, to be told from names and numbers. With ``length`` the text is cut
    there, and costs no more than what is left of it.
    """
    return _cut(_top(value), length)


def shown_fields(message: Any, length: int | None = None) -> str:
    """The fields of a message without its name, as in ``account_id='alice', amount=100``."""
    fields = fields_of(message)
    return _cut(_joined(_named(fields.items(), 0)), length)


def sentence_of(text: str, length: int | None = None) -> str:
    """A sentence of ours with texts of a model in it.

    What would turn the direction of all that follows, our own words too, is written out as in a repr.
    """
    return shown(_TURNS.sub(lambda found: f"\\u{ord(found[0]):04x}", text), length)


def _cut(parts: Iterable[str], length: int | None) -> str:
    taken, size = [], 0
    for part in parts:
        taken.append(part)
        size += len(part)
        if length is not None and size > length:
            break
    text = "".join(taken)
    if length is not None and len(text) > length:
        text = f"{text[: max(length - 1, 0)]}…"
    return _sound(text)


def _sound(text: str) -> str:
    """The text without lone surrogates, which could not be sent anywhere."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _top(value: Any) -> Iterator[str]:
    if isinstance(value, str) and not isinstance(value, Enum):
        yield value
    else:
        yield from _parts(value, 0)


def _parts(value: Any, depth: int) -> Iterator[str]:
    """A value in pieces, so that a long one need not be written out to be cut."""
    plain = _PLAIN.get(type(value))
    if plain is not None:
        yield plain(value)
    elif isinstance(value, Enum):
        yield _enum(value)
    elif isinstance(value, type):
        yield value.__name__
    elif _is_plain_record(value):
        yield from _record(value, depth)
    elif isinstance(value, (Mapping, list, tuple, set, frozenset)):
        yield from _container(value, depth)
    else:
        yield _repr(value)


def _enum(value: Enum) -> str:
    return str(value.name or value.value)  # a combination of flags may have no name


def _is_plain_record(value: Any) -> bool:
    """Whether the fields tell more than the repr: an object without a repr of its own tells its address."""
    cls = type(value)
    return field_names(cls) is not None or (_has_no_repr(cls) and hasattr(value, "__dict__"))


def _has_no_repr(cls: type) -> bool:
    return next(base for base in cls.__mro__ if "__repr__" in vars(base)) is object


def _record(value: Any, depth: int) -> Iterator[str]:
    yield f"{type(value).__name__}("
    if depth >= _DEEPEST:
        yield "…"
    else:
        yield from _joined(_named(fields_of(value).items(), depth))
    yield ")"


def _container(value: Any, depth: int) -> Iterator[str]:
    opening, closing = _brackets(value)
    yield opening
    if depth >= _DEEPEST:
        yield "…"
    elif isinstance(value, Mapping):
        yield from _joined(_entries(value, depth))
    elif isinstance(value, (set, frozenset)):
        # What comes from a set is ordered before it shows.
        yield from _joined(
            iter([text]) for text in sorted("".join(_parts(item, depth + 1)) for item in value)
        )
    else:
        yield from _joined(_parts(item, depth + 1) for item in value)
    yield closing


def _brackets(value: Any) -> tuple[str, str]:
    if isinstance(value, tuple):
        return "(", ")"
    return ("[", "]") if isinstance(value, list) else ("{", "}")


def _named(fields: Iterable[tuple[str, Any]], depth: int) -> Iterator[Iterator[str]]:
    for name, value in fields:
        yield _pair(f"{name}=", value, depth)


def _entries(value: Mapping[Any, Any], depth: int) -> Iterator[Iterator[str]]:
    for key, item in value.items():
        yield _pair(f"{''.join(_parts(key, depth + 1))}: ", item, depth)


def _pair(name: str, value: Any, depth: int) -> Iterator[str]:
    yield name
    yield from _parts(value, depth + 1)


def _joined(items: Iterable[Iterator[str]]) -> Iterator[str]:
    for n, item in enumerate(items):
        if n:
            yield ", "
        yield from item


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a model's own repr may raise anything; that is shown too
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
