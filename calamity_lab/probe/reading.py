"""Single values read from what was typed, or from JSON: numbers, truth values, times, durations, bytes.

Blanks around a value do not matter, except in texts, which stay as they are typed. Digits may be grouped by
threes with a blank or an underscore. A comma is rejected, because half of the world writes it for thousands
and the other half for decimals. NaN and infinity are rejected, since nothing can be calculated with them.
"""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from calamity_lab.text import format_value

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
# A blank, a non-breaking one, a narrow one, a thin one, or an underscore between groups of three digits.
_GROUPED = re.compile(r"([+-]?[0-9]{1,3})((?:[ \u00a0\u202f\u2009_][0-9]{3})+)(?![0-9])")
_NO_NUMBERS = frozenset({"nan", "snan", "inf", "infinity"})
# Python itself refuses longer ones, because they take long to read.
_MOST_DIGITS = 4_000
# As str() writes it, "2 days, 1:30:00"; and as ISO 8601 and the stores do, "P2DT1H30M".
_CLOCK = re.compile(
    r"(?:(?P<days>\d+) days?(?:, *| +|$))?"
    r"(?:(?P<hours>\d+):(?P<minutes>\d\d)(?::(?P<seconds>\d\d(?:\.\d{1,6})?))?)?"
)
_ISO = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d{1,6})?)S)?)?"
)


class Unreadable(ValueError):
    """A text that is not a value of the wanted type; the message says what would be."""


class Unlike(Unreadable):
    """A text that does not look like a value of the wanted type; the example of the type says what does."""

    def __init__(self, given: Any) -> None:
        super().__init__(f"{quoted(given)} is not a value of that type")


def quoted(given: Any) -> str:
    """A given value, cut to a length; a text in quotes."""
    text = format_value(given, 40)
    return f"‘{text}’" if isinstance(given, str) else text


def read_text(given: Any) -> str:
    """A text, exactly as it is given."""
    if isinstance(given, str):
        return given
    raise Unreadable(f"{quoted(given)} is not a text")


def read_integer(given: Any) -> int:
    """A whole number."""
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if isinstance(given, float) and given.is_integer():  # JavaScript has one kind of number only
        return int(given)
    text = _digits(given)
    if text is None or not _WHOLE.fullmatch(text):
        raise _no_number(given)
    return int(text)


def read_decimal(given: Any) -> Decimal:
    """A decimal number, with the places that it was typed with."""
    if isinstance(given, int) and not isinstance(given, bool):
        return Decimal(given)
    if isinstance(given, Decimal) and given.is_finite():
        return given
    if isinstance(given, float) and math.isfinite(given):
        return Decimal(repr(given))
    text = _digits(given)
    if text is None or not _NUMBER.fullmatch(text):
        raise _not_finite(given) or _no_number(given)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Unreadable(f"{quoted(given)} is beyond what a decimal number can hold") from None


def read_number(given: Any) -> float:
    """A number, which may have decimals."""
    if isinstance(given, float) and math.isfinite(given):
        return given
    text = f"{Decimal(given):f}" if isinstance(given, int) and not isinstance(given, bool) else _digits(given)
    if text is None or not _NUMBER.fullmatch(text):
        raise _not_finite(given) or _no_number(given)
    value = float(text)
    if math.isinf(value):
        raise Unreadable(f"{quoted(given)} is beyond what a number can hold (about 1.8e308)")
    return value


def read_boolean(given: Any) -> bool:
    """True or false."""
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in ("true", "false"):
        return given.lower() == "true"
    raise Unreadable(f"{quoted(given)} is neither true nor false")


def read_duration(given: Any) -> timedelta:
    """A duration, as ``str()`` or ISO 8601 writes it."""
    text = given.removeprefix("-") if isinstance(given, str) else ""
    iso = _ISO.fullmatch(text)
    found = iso or _CLOCK.fullmatch(text)
    parts = {name: float(value) for name, value in found.groupdict().items() if value} if found else {}
    # Python means only the days by the sign in "-1 day, 23:00:00", a reader may mean the whole.
    if not parts or (given != text and iso is None and len({"days", "hours"} & set(parts)) == 2):
        raise Unlike(given)
    try:
        length = timedelta(**parts)
    except OverflowError:
        raise Unreadable(f"{quoted(given)} is longer than a duration can be") from None
    return -length if given != text else length


def duration_text(value: timedelta) -> str:
    """A duration as `read_duration` reads it back."""
    if value >= timedelta(0):
        return str(value)
    days, rest = divmod(-value, timedelta(days=1))
    return f"-P{days}DT{rest.seconds}.{rest.microseconds:06}S"


def read_bytes(given: Any) -> bytes:
    """Bytes, which are typed in base 64."""
    if isinstance(given, str):
        try:
            return b64decode(given, validate=True)
        except binascii.Error:
            pass  # reported below, with an example
    raise Unlike(given)


def reader_of_text(make: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A reader of texts, from the function that makes a value of a text."""

    def read(given: Any) -> Any:
        if isinstance(given, str):
            try:
                return make(given)
            except ValueError:
                pass  # reported below, with an example
        raise Unlike(given)

    return read


def _digits(given: Any) -> str | None:
    """The text of a number without the characters that group its digits; None if it cannot be a number."""
    if not isinstance(given, str) or len(given) > _MOST_DIGITS:
        return None
    grouped = _GROUPED.match(given)
    if grouped is None:
        return given
    return grouped[1] + re.sub(r"[^0-9]", "", grouped[2]) + given[grouped.end() :]


def _not_finite(given: Any) -> Unreadable | None:
    if isinstance(given, (float, Decimal)) or (
        isinstance(given, str) and given.lstrip("+-").lower() in _NO_NUMBERS
    ):
        return Unreadable(f"{quoted(given)} cannot be calculated with: give a finite number")
    return None


def _no_number(given: Any) -> Unreadable:
    if isinstance(given, str) and len(given) > _MOST_DIGITS:
        return Unreadable(f"{quoted(given)} is too long: a number has at most {_MOST_DIGITS:,} digits")
    if isinstance(given, str) and "," in given and _NUMBER.fullmatch(given.replace(",", "")):
        return Unreadable(
            f"{quoted(given)} has a comma, which means thousands to some and decimals to others: "
            "group digits with a blank, as in 1 000, and put a point before decimals, as in 12.50"
        )
    return Unlike(given)
