"""What the front end sends, read: the values of a message, and the options of the views.

The options of a view are its search, its window, its tab. They change only what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.views.chart import Mark
from calamity_lab.views.exploring import Role, SearchOrder, TimePasses
from calamity_lab.views.log import Only

T = TypeVar("T")

TABS = ("state", "log", "process_graph", "sequence", "comparison", "exploring")

_MOST = 200
_MOST_STATES = 10_000_000


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def switch(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def whole(value: Any) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number")
    return value


def optional(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Reads a value that may be left out."""
    return lambda value: None if value is None else read(value)


def _short(value: Any) -> str:
    return text(value)[:200]


def _any_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number from 1 on")
    return value


def _count(value: Any) -> int:
    return min(_any_count(value), 400)


def _first(value: Any) -> int:
    return max(whole(value), 0)


def _one_of(*known: str) -> Callable[[Any], str]:
    def one(value: Any) -> str:
        if value not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return str(value)

    return one


def _limit(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_STATES:
        raise ValueError(f"a whole number from 1 to {_MOST_STATES:,}")
    return value


def _key(value: Any) -> str:
    """A text that is not cut, since it is used to find something again."""
    if not isinstance(value, str) or len(value) > 1_000:
        raise ValueError("a text of 1,000 characters at most")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise ValueError(f"a list of texts, {_MOST} at most")
    return tuple(dict.fromkeys(map(_key, value)))


def _pairs(read: Callable[[Any], Any]) -> Callable[[Any], tuple[tuple[str, Any], ...]]:
    """Reads a list of streams, each with what ``read`` reads."""

    def pairs(value: Any) -> tuple[tuple[str, Any], ...]:
        well_formed = isinstance(value, list) and all(isinstance(e, list) and len(e) == 2 for e in value)
        if not well_formed or len(value) > _MOST:
            raise ValueError(f"a list of pairs that begin with a stream, {_MOST} at most")
        return tuple(dict.fromkeys((_key(stream), read(given)) for stream, given in value))

    return pairs


_KNOWN: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "tabs": {"shown": _one_of(*TABS)},
    "agenda": {"limit": _count},
    "branches": {"limit": _any_count},
    "state": {
        "query": _short,
        "first": _first,
        "limit": _count,
        "pinned": _names,
        "unfolded": _pairs(_key),
        "histories": _pairs(_key),
        "as_of": _pairs(_first),
    },
    "pointed": {"mark": Mark.read},
    "details": {"shown": switch, "toggled": _names, "lengths": _pairs(_first)},
    "log": {"only": _one_of(*get_args(Only)), "query": _short, "first": optional(_first), "limit": _count},
    "comparison": {"a": optional(_key), "b": optional(_key), "limit": _count},
    "exploring": {
        "checks": _pairs(_one_of(*get_args(Role))),
        "commands": _names,
        "faults": _names,
        "limit": _limit,
        "depth": optional(_limit),
        "strategy": _one_of(*get_args(SearchOrder)),
        "time": _one_of(*get_args(TimePasses)),
        "workers": _limit,
        "seed": whole,
        "unfolded": _names,
    },
    "search": {"query": _short, "limit": _count},
    "sequence": {"first": optional(_first), "limit": _count},
    "process_graph": {"manager": optional(_short), "instance": optional(_key), "passed": optional(_key)},
}


def read_options(view: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a view, checked."""
    known = _KNOWN.get(view) if isinstance(view, str) else None
    if known is None:
        raise InvalidValue(f"There is no view {repr_of(view)}. Views: {', '.join(_KNOWN)}")
    return {name: _read(view, name, value, known) for name, value in given.items()}


def _read(view: str, name: str, value: Any, known: Mapping[str, Callable[[Any], Any]]) -> Any:
    if name not in known:
        raise InvalidValue(f"The view {repr_of(view)} has no option {name!r}. Options: {', '.join(known)}")
    try:
        return known[name](value)
    except ValueError as error:
        raise InvalidValue(
            f"The option {name!r} of the view {repr_of(view)} must be {error}. Found: {repr_of(value)}"
        ) from error


def taken(message: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T:
    """What a message has under that name; ``read`` raises a `ValueError` that says what is needed."""
    try:
        return read(message.get(name))
    except ValueError as error:
        raise InvalidValue(
            f"{message.get('verb')} needs {error} as {name!r}; found {repr_of(message.get(name))}"
        ) from error
