"""The fields of events or states of many types, side by side in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import pandas as pd

from calamity_lab.frames.columns import Piece, Places, column
from calamity_lab.frames.kinds import NOTHING, Kind, annotation_of, kind_of, together
from calamity_lab.kernel.fields import field_names, fields_of


class Group(NamedTuple):
    """Values of one class under one type name, and the rows that they fill."""

    type: str
    places: Places
    values: Sequence[Any]


class _Part(NamedTuple):
    """One field of one group."""

    type: str
    kind: Kind
    piece: Piece


def flat(known: Mapping[str, Any], groups: Iterable[Group], length: int) -> Any:
    """A DataFrame of the known columns, then a column for each field of the groups.

    Types whose fields share a name share the column when the values are of one kind. Where they are not, or
    where a known column has the name, each gets a column of its own, as in ``FundsDeposited.amount``.
    """
    columns = dict(known)
    for name, parts in _by_field(groups).items():
        kinds = _kinds(parts)
        some = set(kinds.values()) - {NOTHING}
        if len(some) <= 1 and name not in columns:
            kind = next(iter(some), NOTHING)
            columns[name] = column(kind, [part.piece for part in parts], length)
            continue
        for type_name, kind in kinds.items():
            pieces = [part.piece for part in parts if part.type == type_name]
            columns[_free(f"{type_name}.{name}", columns)] = column(kind, pieces, length)
    return pd.DataFrame(columns, copy=False)


def _by_field(groups: Iterable[Group]) -> dict[str, list[_Part]]:
    parts: dict[str, list[_Part]] = {}
    for group in groups:
        for name, values in _fields(group.values).items():
            kind = kind_of(values, annotation_of(type(group.values[0]), name))
            parts.setdefault(name, []).append(_Part(group.type, kind, Piece(group.places, values)))
    return parts


def _kinds(parts: Sequence[_Part]) -> dict[str, Kind]:
    """The kind that each type needs for a field."""
    found: dict[str, list[Kind]] = {}
    for part in parts:
        found.setdefault(part.type, []).append(part.kind)
    return {type_name: together(kinds) for type_name, kinds in found.items()}


def _fields(values: Sequence[Any]) -> dict[str, list[Any]]:
    """The fields of values of one class, as lists; what a value lacks is None."""
    names = field_names(type(values[0])) if len(values) else ()
    if names is None:
        rows = [fields_of(value) for value in values]
        return {
            name: [row.get(name) for row in rows] for name in dict.fromkeys(n for row in rows for n in row)
        }
    return {name: _field(values, name) for name in names}


def _field(values: Sequence[Any], name: str) -> list[Any]:
    try:
        return list(map(attrgetter(name), values))
    except AttributeError:  # a slot that was never filled
        return [getattr(value, name, None) for value in values]


def _free(name: str, taken: Mapping[str, Any]) -> str:
    while name in taken:
        name += "_"
    return name
