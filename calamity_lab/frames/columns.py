"""Values as pandas columns: what kind of column they need, and the column itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, Flag
from itertools import chain, repeat
from operator import is_
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from calamity_lab.kernel.annotations import union_members
from calamity_lab.kernel.schema import spelled
from calamity_lab.text import format_value

Rows = slice | np.ndarray[Any, np.dtype[np.intp]]
"""The rows that values belong to."""


class Piece(NamedTuple):
    """Some values of a column, and the rows that they are in."""

    rows: Rows
    values: Sequence[Any]


def column(kind: Kind, pieces: Iterable[Piece], length: int) -> Any:
    """An array of that kind; a row in no piece is missing, and so is one with None.

    If a value is too large for the dtype, or is not valid text, the whole column stays Python objects.
    """
    pieces = list(pieces)
    build = _BUILDERS.get(kind.name, _whole)
    try:
        found = build(kind, pieces, length)
    except (OverflowError, ValueError, KeyError):
        # A date out of bounds and a text that cannot be encoded are ValueErrors, a KeyError is a member that
        # its Enum does not list.
        found = _whole(kind, pieces, length)
    # A bare array of objects would be looked through once more, and texts in it be made a column of texts.
    return pd.Series(found, dtype=object, copy=False) if found.dtype == object else found


def text(values: Sequence[Any]) -> Any:
    """A column of texts, in which None is missing; Python objects if there are other values too."""
    kind = kind_of(values)
    return column(Kind("text") if kind is NOTHING else kind, [Piece(slice(None), values)], len(values))


def labels(values: Sequence[Any]) -> Any:
    """A category column, for texts that repeat; the categories are sorted. Other values become texts."""
    if not {str, NoneType}.issuperset(map(type, values)):
        values = [None if value is None else format_value(value) for value in values]
    return _categories(values, sorted({value for value in values if value is not None}))


def nullable(values: Sequence[int | None]) -> Any:
    """A column of ints of which some may be missing, here or in a longer table."""
    return pd.array(values, dtype="Int64")


def _whole(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    """The objects themselves."""
    found = np.full(length, None, dtype=object)
    for rows, values in pieces:
        # fromiter, since assigning a list of tuples would be taken for a table
        found[rows] = np.fromiter(values, dtype=object, count=len(values))
    return found


def _integers(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    numbers, missing = _masked(pieces, length, np.int64)
    return pd.arrays.IntegerArray(numbers, missing) if missing.any() else numbers


def _booleans(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    return pd.arrays.BooleanArray(*_masked(pieces, length, np.bool_))


def _masked(pieces: Sequence[Piece], length: int, dtype: type) -> tuple[Any, Any]:
    found: Any = np.zeros(length, dtype=dtype)
    missing = np.ones(length, dtype=np.bool_)
    for rows, values in pieces:
        absent = np.fromiter(map(is_, values, repeat(None)), dtype=np.bool_, count=len(values))
        if absent.any():
            values = [value or 0 for value in values]
        found[rows] = np.fromiter(values, dtype=dtype, count=len(values))
        missing[rows] = absent
    return found, missing


def _numbers(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    found: Any = np.full(length, np.nan)
    for rows, values in pieces:
        given = [np.nan if value is None else value for value in values] if None in values else values
        found[rows] = np.fromiter(given, dtype=np.float64, count=len(values))
    return found


def _texts(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    texts = _whole(kind, pieces, length)
    if pd.array([], dtype="str").dtype.storage == "pyarrow":
        # Where pandas keeps texts in Arrow, they may go there at once, in half the time.
        import pyarrow as pa

        return pd.array(pa.array(texts, type=pa.large_string()), dtype="str")
    return pd.array(texts, dtype="str")


def _durations(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    return pd.array(_whole(kind, pieces, length), dtype="timedelta64[us]")


def _moments(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    return pd.to_datetime(_whole(kind, pieces, length), utc=True).as_unit("us")


def _local_moments(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    return pd.to_datetime(_whole(kind, pieces, length)).as_unit("us")


def _choices(kind: Kind, pieces: Sequence[Piece], length: int) -> Any:
    """A category column with all members as files have them, in the order in which they are defined."""
    (enum,) = kind.types
    members = list(enum)  # type: ignore[call-overload]
    # By id, since a member's own hash is slow and its equality may be anything; a member is there once.
    code = {id(member): n for n, member in enumerate(members)} | {id(None): -1}
    codes = np.full(length, -1, dtype=np.int32)
    for rows, values in pieces:
        codes[rows] = np.fromiter(map(code.__getitem__, map(id, values)), dtype=np.int32, count=len(values))
    words = [spelled(member) for member in members]
    return pd.Categorical.from_codes(
        codes, categories=pd.Index(words, dtype="int64" if type(words[0]) is int else "str")
    )


def _categories(values: Sequence[str | None], names: Sequence[str]) -> Any:
    code: dict[str | None, int] = {name: n for n, name in enumerate(names)}
    code[None] = -1
    codes = np.fromiter(map(code.__getitem__, values), dtype=np.int32, count=len(values))
    return pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="str"))


_BUILDERS: dict[str, Callable[[Kind, Sequence[Piece], int], Any]] = {
    "boolean": _booleans,
    "integer": _integers,
    "number": _numbers,
    "text": _texts,
    "duration": _durations,
    "moment": _moments,
    "local moment": _local_moments,
    "choice": _choices,
}


_EXACT = {bool: "boolean", int: "integer", float: "number", str: "text", timedelta: "duration"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of column, with the types of its values where the name alone is not enough.

    ``name`` is boolean, integer, number, text, duration, moment (with a time zone), local moment (without),
    choice (of one Enum), whole (anything else, kept as Python objects) or nothing (only None).
    """

    name: str
    types: frozenset[type] = frozenset()


NOTHING = Kind("nothing")


def kind_of(values: Sequence[Any], annotation: Any = None) -> Kind:
    """The kind of column that holds all the values unchanged; any kind may hold None.

    Ints count as numbers beside floats, or in a field annotated as ``float``, where none loses a digit.
    Subclasses of the plain types stay Python objects: they may mean more than they show.
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
    """The kind for values of one event type from several classes: their kind if they agree."""
    some = list(dict.fromkeys(kind for kind in kinds if kind is not NOTHING))
    if len(some) < 2:
        return some[0] if some else NOTHING
    return Kind("whole", frozenset(chain.from_iterable(kind.types for kind in some)))


def _means_float(annotation: Any) -> bool:
    members = set(union_members(annotation)) - {NoneType}
    return members == {float}


def _fit_floats(values: Sequence[Any]) -> bool:
    bound = 2**53  # up to here every int has a float of its own
    return all(-bound <= value <= bound for value in values if type(value) is int)


def _moment(values: Sequence[Any]) -> Kind:
    zoned = {value.utcoffset() is not None for value in values if value is not None}
    if len(zoned) == 2:
        return Kind("whole", frozenset({datetime}))
    return Kind("moment" if zoned.pop() else "local moment")
