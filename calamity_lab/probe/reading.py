"""Single values read from what was typed, or from JSON.

Blanks around a value do not matter, except in texts, which stay as they are typed. Digits may be grouped
by threes with a blank or an underscore. A comma is refused, because half of the world writes it for
thousands and the other half for decimals. NaN and infinity are refused, since nothing can be reckoned
with them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from calamity_lab.probe.field_types import ATOMS
from calamity_lab.text import format_value

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
# A blank, a non-breaking one, a narrow one, a thin one, or an underscore between groups of three digits.
_GROUPED = re.compile(r"([+-]?[0-9]{1,3})((?:[ \u00a0\u202f\u2009_][0-9]{3})+)(?![0-9])")
_NO_NUMBERS = frozenset({"nan", "snan", "inf", "infinity"})
# Python itself reads no longer ones, because that takes long.
_MOST_DIGITS = 4_000


class Unreadable(ValueError):
    """A text that is no value of the type asked for; the message says what it should look like."""


def read_atom(cls: type, given: Any) -> Any:
    """The value of type ``cls`` that a text or a JSON value stands for. Raises `Unreadable`."""
    return _READERS[cls](given.strip() if isinstance(given, str) and cls is not str else given)


def quoted(given: Any) -> str:
    """What was given, short, in quotes where it is a text."""
    text = format_value(given, 40)
    return f"‘{text}’" if isinstance(given, str) else text


def _text(given: Any) -> str:
    if isinstance(given, str):
        return given
    raise Unreadable(f"{quoted(given)} is no text")


def _integer(given: Any) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if isinstance(given, float) and given.is_integer():  # JavaScript has one kind of number only
        return int(given)
    text = _digits(given)
    if text is None or not _WHOLE.fullmatch(text):
        raise _no(int, given)
    return int(text)


def _decimal(given: Any) -> Decimal:
    if isinstance(given, int) and not isinstance(given, bool):
        return Decimal(given)
    if isinstance(given, float) and math.isfinite(given):
        return Decimal(repr(given))
    text = _digits(given)
    if text is None or not _NUMBER.fullmatch(text):
        raise _no(Decimal, given)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Unreadable(f"{quoted(given)} is beyond what a decimal number can hold") from None


def _number(given: Any) -> float:
    if isinstance(given, float) and math.isfinite(given):
        return given
    text = f"{Decimal(given):f}" if isinstance(given, int) and not isinstance(given, bool) else _digits(given)
    if text is None or not _NUMBER.fullmatch(text):
        raise _no(float, given)
    value = float(text)
    if math.isinf(value):
        raise Unreadable(f"{quoted(given)} is beyond what a number can hold (about 1.8e308)")
    return value


def _digits(given: Any) -> str | None:
    """The text of a number without what groups its digits; None where it can be none."""
    if not isinstance(given, str) or len(given) > _MOST_DIGITS:
        return None
    grouped = _GROUPED.match(given)
    if grouped is None:
        return given
    return grouped[1] + re.sub(r"[^0-9]", "", grouped[2]) + given[grouped.end() :]


def _boolean(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in ("true", "false"):
        return given.lower() == "true"
    raise Unreadable(f"{quoted(given)} is neither true nor false")


def _iso(cls: type, make: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read(given: Any) -> Any:
        if isinstance(given, str):
            try:
                return make(given)
            except ValueError:
                pass  # told below, with an example
        raise _no(cls, given)

    return read


def _no(cls: type, given: Any) -> Unreadable:
    what = ATOMS[cls][1]
    if isinstance(given, float) or (isinstance(given, str) and given.lstrip("+-").lower() in _NO_NUMBERS):
        if cls in (float, Decimal):
            return Unreadable(f"{quoted(given)} cannot be reckoned with: give {what}")
    elif isinstance(given, str) and len(given) > _MOST_DIGITS and cls in (int, float, Decimal):
        return Unreadable(f"{quoted(given)} is too long: a number has at most {_MOST_DIGITS:,} digits")
    elif isinstance(given, str) and "," in given and _is_number(given.replace(",", "")):
        return Unreadable(
            f"{quoted(given)} has a comma, which means thousands to some and decimals to others: "
            "group digits with a blank, as in 1 000, and put a point before decimals, as in 12.50"
        )
    return Unreadable(f"{quoted(given)} is no {what.partition(' ')[2]}")


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


_READERS: dict[type, Callable[[Any], Any]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _boolean,
    Decimal: _decimal,
    date: _iso(date, date.fromisoformat),
    datetime: _iso(datetime, datetime.fromisoformat),
    time: _iso(time, time.fromisoformat),
    UUID: _iso(UUID, UUID),
}
