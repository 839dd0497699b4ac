"""What lies in a value: its fields, items and entries, each with a name and a path that leads to it.

A path is written as in Python: ``lines[2].price``, ``stock['mug']``. What lies in a set has no place; its
path is its text, as in ``tags{'new'}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import is_dataclass
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from calamity_lab.kernel.fields import field_names, fields_of, is_record
from calamity_lab.text import format_value
from calamity_lab.trace.differences import ABSENT

_KEY_LENGTH = 60
_ATOMS = frozenset({str, int, float, bool, type(None)})
_INDEX = re.compile(r"\[([0-9]+)\]")
_TEXT_KEY = re.compile(r"\['([^'\\\]]*)'\]")


class Inner(NamedTuple):
    """One of the values that lie in another."""

    name: str
    path: str
    value: Any


def count_in(value: Any) -> int:
    """How many values lie in this one; 0 for a text, a number, and all that is shown whole."""
    if type(value) in _ATOMS or isinstance(value, (Enum, type)):
        return 0
    if _is_record(value):
        return len(fields_of(value))
    return len(value) if isinstance(value, (Mapping, list, tuple, Set)) else 0


def within(value: Any, path: str, first: int = 0, limit: int | None = None) -> Iterator[Inner]:
    """What lies in a value, in order; ``limit`` of it, from the ``first`` on."""
    last = None if limit is None else first + limit
    if _is_record(value):
        for name, item in islice(fields_of(value).items(), first, last):
            yield Inner(name, f"{path}.{name}" if path else name, item)
    elif isinstance(value, Mapping):
        for n, (key, item) in islice(enumerate(value.items()), first, last):
            text = _key(key, n)
            yield Inner(text, f"{path}[{text}]", item)
    elif isinstance(value, Set):
        texts = sorted(((_key(item, n), item) for n, item in enumerate(value)), key=lambda pair: pair[0])
        for text, item in texts[first:last]:
            yield Inner("", f"{path}{{{text}}}", item)
    else:
        for n, item in enumerate(value[first:last], first):
            yield Inner(f"[{n}]", f"{path}[{n}]", item)


def summary(value: Any) -> str:
    """What a value is, where all that lies in it is shown below."""
    if _is_record(value):
        return type(value).__name__
    noun = "entry" if isinstance(value, Mapping) else "item"
    count = count_in(value)
    plural = "entries" if isinstance(value, Mapping) else "items"
    return f"{count:,} {noun if count == 1 else plural}"


def state_fields(state: Any) -> dict[str, Any]:
    """The fields of a state; one that is no record is its own only field."""
    if state is None:
        return {}
    if isinstance(state, dict) or is_record(state):
        return fields_of(state)
    return {"value": state}


def state_at(state: Any, path: str) -> Any:
    """What a path leads to from a state, of which it begins with a field's name."""
    fields = state_fields(state)
    whole = max((name for name in fields if _leads(name, path)), key=len, default=None)
    return ABSENT if whole is None else _from(fields[whole], whole, path)


def _from(value: Any, here: str, path: str) -> Any:
    while here != path:
        found = deeper(value, here, path)
        if found is None:
            return ABSENT
        here, value = found.path, found.value
    return value


def deeper(value: Any, here: str, path: str) -> Inner | None:
    """The one of the values in a value, to which ``here`` leads, that is on the way to a path."""
    if not count_in(value):
        return None
    rest = path[len(here) :]
    if isinstance(value, (list, tuple)) and not _is_record(value):
        found = _INDEX.match(rest)
        n = int(found[1]) if found else len(value)
        return next(within(value, here, n, 1), None)
    key = _TEXT_KEY.match(rest)
    if key and isinstance(value, Mapping) and key[1] in value:
        return Inner(key[1], here + key[0], value[key[1]])
    return next((inner for inner in within(value, here) if _leads(inner.path, path)), None)


def _leads(path: str, further: str) -> bool:
    return further == path or (further.startswith(path) and further[len(path)] in ".[{")


def _is_record(value: Any) -> bool:
    """Whether a value is known by its fields; one with a repr of its own is known by that."""
    cls = type(value)
    if is_dataclass(cls) or field_names(cls) is not None:
        return True
    return is_record(value) and not isinstance(value, (Mapping, list, tuple, Set, Enum)) and _has_no_repr(cls)


def _has_no_repr(cls: type) -> bool:
    return next(base for base in cls.__mro__ if "__repr__" in vars(base)) is object


def _key(key: Any, place: int) -> str:
    if type(key) is str and len(key) <= _KEY_LENGTH:
        return format_value(repr(key))
    # As it is written inside of other values: a text in quotes.
    text = format_value([key], _KEY_LENGTH)[1:]
    return text.removesuffix("]") if text.endswith("]") else f"{text}#{place}"  # others may begin like it
