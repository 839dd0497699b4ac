"""Values that no call expects, most of them made anew: of every type, and objects whose own methods raise."""

from __future__ import annotations

import enum
import io
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


class Broken(Exception):
    """What the methods of these objects raise: nothing that a program of ours would raise or expect."""


def _raise(*args: object, **named: object) -> Any:
    raise Broken("this object is broken")


def broken(*methods: str, base: type = object) -> type:
    """A class whose methods of those names raise."""
    return type("Box", (base,), dict.fromkeys(methods, _raise))


class FalseClass:
    """An object that says of another class that it is its own."""

    __class__ = property(_raise)  # type: ignore[assignment]


class BrokenMapping(Mapping[str, Any]):
    """A mapping whose every method raises."""

    __getitem__ = __iter__ = __len__ = keys = items = values = get = _raise  # type: ignore[assignment]
    __contains__ = __repr__ = _raise  # type: ignore[assignment]


class BrokenText(str):
    """A text whose own methods raise."""

    __slots__ = ()
    __repr__ = __str__ = __format__ = __eq__ = __hash__ = _raise  # type: ignore[assignment]


class WholeNumber(int):
    """A number whose own methods raise."""

    __repr__ = __str__ = __index__ = __format__ = __lt__ = __gt__ = __le__ = __ge__ = _raise  # type: ignore[assignment]


class NoText:
    """An object whose repr is no text."""

    def __repr__(self) -> Any:
        return 5


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True)
class Holder:
    """A record that holds another value."""

    held: Any


def cyclic() -> list[Any]:
    """A list that contains itself."""
    made: list[Any] = [1]
    made.append({"self": made})
    return made


@cache
def deep(levels: int = 10_000) -> Any:
    """A list of lists, nested so deep; it is made once, since that takes long."""
    made: Any = 1
    for _ in range(levels):
        made = [made]
    return made


@cache
def deep_records(levels: int = 10_000) -> Any:
    """A record of records, nested so deep."""
    made: Any = 1
    for _ in range(levels):
        made = Holder(made)
    return made


def _generator() -> Iterator[int]:
    yield 1
    yield 2


def _no_comparison() -> Any:
    return broken("__eq__", "__hash__", "__lt__", "__bool__")()


JUNK: Mapping[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "zero": lambda: 0,
    "one": lambda: 1,
    "minus one": lambda: -1,
    "a fraction": lambda: 1.5,
    "not a number": lambda: math.nan,
    "infinity": lambda: -math.inf,
    "a number beyond 64 bits": lambda: 2**64,
    "5,000 digits": lambda: 10**5_000,
    "a complex number": lambda: 1j,
    "a Decimal": lambda: Decimal("NaN"),
    "a Fraction": lambda: Fraction(1, 3),
    "numpy's number": lambda: np.float64(2.5),
    "an array": lambda: np.arange(3),
    "no text": lambda: "",
    "a word": lambda: "nonsense",
    "digits": lambda: "12",
    "a null character": lambda: "a\0b",
    "a surrogate": lambda: "a\ud800b",
    "1 MB of text": lambda: "x" * 1_000_000,
    "lines": lambda: "a\n\r\u2028b",
    "a URL": lambda: "sqlite://nonsense?x=1",
    "bytes": lambda: b"\xff\x00",
    "a bytearray": lambda: bytearray(b"ab"),
    "an empty list": list,
    "a list": lambda: [1, "a", None],
    "an empty tuple": tuple,
    "pairs": lambda: [(1, 2), (3,)],
    "an empty dict": dict,
    "a dict": lambda: {1: 2, None: object()},
    "a set": lambda: {1, "a"},
    "a deque": lambda: deque([1]),
    "a range": lambda: range(10**12),
    "a slice": lambda: slice("a", None, 0),
    "a generator": _generator,
    "an iterator": lambda: iter([1, 2]),
    "an open file": lambda: io.StringIO("a"),
    "a module": lambda: math,
    "a class": lambda: Holder,
    "object's class": lambda: object,
    "an instance": object,
    "a record": lambda: Holder(1),
    "a record of itself": lambda: Holder(cyclic()),
    "a member": lambda: Colour.RED,
    "a date": lambda: date(2026, 1, 31),
    "a naive time": lambda: datetime(2026, 1, 31),  # noqa: DTZ001
    "the first moment": lambda: datetime.min.replace(tzinfo=UTC),
    "a duration": lambda: timedelta.max,
    "a path": lambda: Path("no/such/folder/file"),
    "an exception": lambda: ValueError("nonsense"),
    "an exception's class": lambda: KeyError,
    "a function": lambda: lambda *given, **named: None,
    "a function that raises": lambda: _raise,
    "a function of nothing": lambda: lambda: 5,
    "Ellipsis": lambda: ...,
    "NotImplemented": lambda: NotImplemented,
    "a cyclic list": cyclic,
    "a deep list": deep,
    "deep records": deep_records,
    "a broken repr": lambda: broken("__repr__", "__str__")(),
    "a repr that is no text": NoText,
    "a broken iterable": lambda: broken("__iter__", "__len__", "__repr__")(),
    "broken attributes": lambda: broken("__getattr__")(),
    "all attributes broken": lambda: broken("__getattribute__", "__repr__")(),
    "a broken comparison": _no_comparison,
    "a broken hash": lambda: broken("__hash__")(),
    "a false class": FalseClass,
    "a broken mapping": BrokenMapping,
    "a broken list": lambda: broken("__iter__", "__len__", "__getitem__", "__repr__", base=list)(),
    "a broken dict": lambda: broken("__iter__", "__len__", "items", "keys", "__repr__", base=dict)(),
    "a broken text": lambda: BrokenText("x"),
    "a broken number": lambda: WholeNumber(3),
    "a broken path": lambda: broken("__fspath__")(),
}
"""Makers of values, by what each of them is."""
