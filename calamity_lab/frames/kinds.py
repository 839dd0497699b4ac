"""What kind of column the values of a field need, so that each can be read back as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, Flag
from itertools import chain
from typing import Any

_EXACT = {bool: "boolean", int: "integer", float: "number", str: "text", timedelta: "duration"}
_FLOAT_OR_NONE = float | None
_FLOAT_WORDS = frozenset({"float", "float|None", "None|float", "Optional[float]", "typing.Optional[float]"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of column, and the types that make it up where the name alone does not tell.

    ``name`` is boolean, integer, number, text, duration, moment (with a time zone), local moment (without),
    choice (of one Enum), whole (anything else, kept as it is) or nothing (only None).
    """

    name: str
    types: frozenset[type] = frozenset()


NOTHING = Kind("nothing")


def kind_of(values: Sequence[Any], annotation: Any = None) -> Kind:
    """The kind of column that holds all the values unchanged; None may stand in any.

    Ints count as numbers beside floats, or in a field annotated as ``float``, where none loses a digit.
    Subclasses of the plain types are kept whole: they may mean more than they show.
    """
    types = frozenset(map(type, values)) - {type(None)}
    if not types:
        return NOTHING
    if len(types) == 1:
        (only,) = types
        if only is int and _means_float(annotation) and _fit_floats(values):
            return Kind("number")
        if only in _EXACT:
            return Kind(_EXACT[only])
        if only is datetime:
            return _moment(values)
        if issubclass(only, Enum) and not issubclass(only, Flag):
            return Kind("choice", types)
    elif types == {int, float} and _fit_floats(values):
        return Kind("number")
    return Kind("whole", types)


def together(kinds: Sequence[Kind]) -> Kind:
    """The kind for values of one event type whose classes differ: theirs where they agree."""
    some = list(dict.fromkeys(kind for kind in kinds if kind is not NOTHING))
    if len(some) < 2:
        return some[0] if some else NOTHING
    return Kind("whole", frozenset(chain.from_iterable(kind.types for kind in some)))


def annotation_of(cls: type, field: str) -> Any:
    """How a class annotates a field; None where it does not."""
    for base in cls.__mro__:
        found = base.__dict__.get("__annotations__", {}).get(field)
        if found is not None:
            return found
    return None


def _means_float(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.replace(" ", "") in _FLOAT_WORDS
    return annotation is float or annotation == _FLOAT_OR_NONE


def _fit_floats(values: Sequence[Any]) -> bool:
    bound = 2**53  # up to here every int has a float of its own
    return all(-bound <= value <= bound for value in values if type(value) is int)


def _moment(values: Sequence[Any]) -> Kind:
    zoned = {value.utcoffset() is not None for value in values if value is not None}
    if len(zoned) == 2:
        return Kind("whole", frozenset({datetime}))
    return Kind("moment" if zoned.pop() else "local moment")
