"""Checks of what a public call is given: each returns the value that it takes, or raises `InvalidValue`.

A call checks its arguments once, at its door. ``asked`` names the argument as its caller writes it, as in
``"goto(moment)"``; the message repeats it with what was found, and ends with what would work. A check reads
only the type of a value, because an object's own methods may raise anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import wraps
from operator import index
from types import GeneratorType
from typing import Any, ParamSpec, TypeVar

from calamity_lab.errors import (
    CalamityError,
    InvalidModel,
    InvalidValue,
    OutOfRange,
    StoreError,
    UnknownArgument,
    repr_of,
    text_of,
)

P = ParamSpec("P")
T = TypeVar("T")
_MOST_SAID = 1_000  # characters of what a foreign error says
_LONGEST = 1_000_000  # seconds
_NOUNS: dict[type, str] = {type: "classes", str: "texts", int: "whole numbers"}


def wrong(asked: str, given: Any, works: str) -> InvalidValue:
    """The error for an argument: what was asked, what was found, and what works."""
    found = f"={repr_of(given)}"
    named = f"{asked[:-1]}{found})" if asked.endswith(")") else f"{asked}{found}"
    return InvalidValue(f"{named}: give {works}")


def store_after(store: Any, method: str, after: Any) -> Any:
    """The store after a call of its method, as the method gave it; raises `StoreError` where that is None."""
    if after is None:
        name = type(store).__name__
        raise StoreError(
            f"{name}.{method}(...) gave None for the store after it; return the {name} as it is now: "
            "a new one, or self where it changes in place"
        )
    return after


def is_a(given: Any, *kinds: Any) -> bool:
    """Whether a value is of one of these classes; what it says of itself in ``__class__`` does not count."""
    return issubclass(type(given), kinds)


def has(given: Any, *members: str) -> bool:
    """Whether an object has these methods."""
    try:
        return all([callable(getattr(given, member, None)) for member in members])
    except Exception:  # noqa: BLE001 - an object whose attributes raise is none that has these methods
        return False


def are_equal(one: Any, other: Any) -> bool:
    """Whether two values are equal; False where they cannot be compared."""
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - the comparison of a model's class may raise anything
        return False


def a_whole_number(asked: str, given: Any, *, low: int | None = 0, high: int | None = None) -> int:
    """A whole number between two bounds, which are allowed; also numpy's, but no bool."""
    try:
        number = None if is_a(given, bool) else int.__add__(index(given), 0)  # a plain int in any case
    except Exception:  # noqa: BLE001 - whatever raises here is no whole number
        number = None
    if number is None or (low is not None and number < low) or (high is not None and number > high):
        start = "" if low is None else f" from {low:,} on" if high is None else f" from {low:,} to {high:,}"
        raise wrong(asked, given, f"a whole number{start}")
    return number


def an_index(asked: str, given: Any, length: int, noun: str) -> int:
    """The index from 0 of one of so many items; a negative one counts from the end."""
    number = a_whole_number(asked, given, low=None)
    if not -length <= number < length:
        held = f"the indices go from 0 to {length - 1:,}" if length else f"there is no {noun} yet"
        raise OutOfRange(f"there is no {noun} {repr_of(number)}; {held}")
    return number % length


def span(given: slice, length: int) -> tuple[int, int, int]:
    """Where a slice of so many items begins, where it ends, and its stride."""
    try:
        return given.indices(length)
    except Exception as error:
        raise wrong("a slice", given, "whole numbers, as in [3:9]; the stride is not 0") from error


def a_bool(asked: str, given: Any) -> bool:
    """True or False, and nothing else."""
    if given is not True and given is not False:
        raise wrong(asked, given, "True or False")
    return given is True


def seconds(asked: str, given: Any) -> float:
    """A number of seconds that is greater than 0, and that every clock and driver can count."""
    if type(given) not in (int, float) or not 0 < given <= _LONGEST:
        raise wrong(asked, given, f"a number of seconds greater than 0 and up to {_LONGEST:,}")
    return float(given)


def a_text(asked: str, given: Any, example: str) -> str:
    """A text, as a plain str."""
    if not is_a(given, str):
        raise wrong(asked, given, f"a text, as in {example}")
    return given if type(given) is str else str.__str__(given)


def a_text_or_none(asked: str, given: Any, example: str) -> str | None:
    """A text, or None."""
    return None if given is None else a_text(asked, given, example)


def an_instance(asked: str, given: T, kind: type, example: str) -> T:
    """An object of a class."""
    if not is_a(given, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        raise wrong(
            asked, given, f"{'a class' if kind is type else f'{article} {kind.__name__}'}, as in {example}"
        )
    return given


def a_time(asked: str, given: datetime) -> datetime:
    """A moment: a datetime with a time zone."""
    an_instance(asked, given, datetime, "datetime.now(UTC)")
    if given.utcoffset() is None:
        raise wrong(asked, given, "a time with a time zone, as in datetime.now(UTC); this has no time zone")
    return given


def one_of(asked: str, given: T, known: Iterable[Any]) -> T:
    """One of a few values."""
    values = list(known)
    if not any(given is value or (type(given) is type(value) and given == value) for value in values):
        *others, last = [repr_of(value) for value in values]
        raise wrong(asked, given, f"{', '.join(others)} or {last}" if others else last)
    return given


def a_function(asked: str, given: T, example: str) -> T:
    """Something that can be called."""
    if not callable(given):
        raise wrong(asked, given, f"a function, as in {example}")
    return given


def a_list(asked: str, given: Any, example: str, *, of: type = object) -> list[Any]:
    """The items of any iterable but a text, bytes or a mapping; all of them of one class, if it is named."""
    if type(given) is not list and type(given) is not tuple:
        given = _items(asked, given, example, of)
    for n, item in enumerate(given):
        if type(item) is not of and not is_a(item, of):
            works = _works(example, of)
            raise InvalidValue(f"{asked}: give {works}; found {repr_of(item)} at index {n:,}")
    return list(given)


def _items(asked: str, given: Any, example: str, of: type) -> list[Any]:
    """The items of an iterable that is neither a list nor a tuple."""
    if not is_a(given, Iterable) or is_a(given, str, bytes, bytearray, Mapping):
        raise wrong(asked, given, _works(example, of))
    try:
        return list(iter(given))  # not by its length: that of a store may be 2**63, where a row was changed
    except CalamityError:
        raise
    except Exception as error:
        if type(given) is GeneratorType:
            raise  # the caller's own code, which makes the items
        raise wrong(asked, given, f"{_works(example, of)}; reading it raised {words_of(error)}") from error


def _works(example: str, of: type) -> str:
    """What would work where a list is asked for."""
    items_of = "" if of is object else f" of {_NOUNS.get(of, f'{of.__name__}s')}"
    return f"a list{items_of}, as in {example}"


def classes(asked: str, given: Any, example: str) -> list[type]:
    """A list of classes; raises `InvalidModel` for anything else, since they are parts of a model."""
    try:
        return a_list(asked, given, example, of=type)
    except InvalidValue as error:
        raise InvalidModel(str(error)) from error


def a_mapping(asked: str, given: Any, example: str) -> dict[Any, Any]:
    """The items of any mapping, as a dict."""
    if not is_a(given, Mapping):
        raise wrong(asked, given, f"a dict, as in {example}")
    try:
        return dict(given)
    except Exception as error:
        raise wrong(asked, given, f"a dict, as in {example}; reading it raised {words_of(error)}") from error


def a_path(asked: str, given: Any, example: str) -> str:
    """The path of a file, as a text that the system takes."""
    try:
        path = os.fspath(given)
        sound = isinstance(path, str) and path and "\0" not in path and os.fsencode(path) is not None
    except Exception:  # noqa: BLE001 - whatever raises here is no path
        sound = False
    if not sound:
        raise wrong(asked, given, f"the path of a file, as in {example}")
    return str.__str__(path)


def refuse_unknown(call: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise `UnknownArgument` for the first name in ``given`` that is not among ``known``."""
    names = list(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            there = f"known: {', '.join(names)}" if names else "it takes no keyword arguments"
            raise UnknownArgument(f"{call} got an unknown argument {name!r}{meant} ({there})")


def advised(works: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a call with arguments that do not fit say what would work, by an `UnknownArgument`."""

    def advising(call: Callable[P, T]) -> Callable[P, T]:
        @wraps(call)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return call(*args, **kwargs)
            except TypeError as error:
                # An error that was raised inside of the call has a traceback that goes on.
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise
            given = [repr_of(each) for each in args[1:]]
            given += [f"{name}={repr_of(each)}" for name, each in kwargs.items()]
            raise UnknownArgument(f"{call.__name__}({', '.join(given)}): {works}")

        return checked

    return advising


def words_of(error: BaseException) -> str:
    """An error as its name and what it says, also where that cannot be had."""
    said = text_of(error)
    said = said if len(said) <= _MOST_SAID else f"{said[: _MOST_SAID - 1]}…"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
