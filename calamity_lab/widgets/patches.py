"""What changed of a view since it was last sent, as plain JSON values."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from calamity_lab.views.chart import Chart, Mark

MANY = 400
"""From so many new items on they are packed."""

_ATOMS = frozenset({str, int, float, bool, type(None)})


def patch(before: Any, after: Any) -> dict[str, Any]:
    """The fields of a view (a dataclass) that differ from what was sent before; all where that is None.

    Of a tuple of records only those are given that are new; of the others, their former indexes:
    ``{"rows": [0, 1, {...}, 2]}``. A tuple of plain values is a list.
    """
    if before is None:
        return {name: plain(getattr(after, name)) for name in _names(type(after))}
    return {
        name: _changed(getattr(before, name), getattr(after, name))
        for name in _names(type(after))
        if getattr(before, name) != getattr(after, name)
    }


def plain(value: Any) -> Any:
    """A view's value as JSON knows it: records as objects, tuples as lists, marks as texts."""
    if type(value) in _ATOMS:
        return value
    if isinstance(value, Mark):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if is_dataclass(value):
        return {
            name: item if type(item) in _ATOMS else plain(item)
            for name, item in zip(_names(type(value)), _reader(type(value))(value), strict=True)
        }
    raise TypeError(f"a view holds plain values only; found {type(value).__name__}")


def _changed(before: Any, after: Any) -> Any:
    is_rows = isinstance(after, tuple) and after and is_dataclass(after[0])
    return {"rows": _rows(before, after)} if is_rows and before else plain(after)


def _rows(before: tuple[Any, ...], after: tuple[Any, ...]) -> list[Any]:
    """Each row as its former index, else in full; a row that moved is known by its first field."""
    key = attrgetter(_names(type(after[0]))[0])
    indexes = {key(row): index for index, row in enumerate(before)}
    rows = []
    for index, row in enumerate(after):
        known = indexes.get(key(row)) if not _is_at(index, row, before) else index
        rows.append(known if known is not None and _is_at(known, row, before) else plain(row))
    return rows


def _is_at(index: int, row: Any, rows: tuple[Any, ...]) -> bool:
    return index < len(rows) and (rows[index] is row or rows[index] == row)


def _field_names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def _field_reader(cls: type[Any]) -> Any:
    """Reads all fields of a record at once."""
    names = _field_names(cls)
    return attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)


_names: Callable[[Any], tuple[str, ...]] = cache(_field_names)
_reader: Callable[[Any], Any] = cache(_field_reader)


def chart_patch(chart: Chart, earlier: Chart | None, *, many: int = MANY) -> dict[str, Any]:
    """The patch for a front end that has an earlier chart; empty if nothing is new.

    ``kept`` is how much of the earlier chart stays (events, steps, lanes, names, changes, deadlines), and
    the rest comes after it: ``columns`` are the new items of each column, of the events, the steps, the
    changes and the deadlines. Many items are packed as bytes; ``count`` is the number of each of these.
    """
    shared, sizes = chart.shared(earlier), chart.sizes
    if earlier is not None and shared == earlier.sizes == sizes:
        return {}
    parts = ("events", "steps", "changes", "deadlines")
    new = {part: slice(getattr(shared, part), getattr(sizes, part)) for part in parts}
    columns = [column[new[part]] for part in parts for column in getattr(chart.columns, part)]
    count = [part.stop - part.start for part in new.values()]
    lanes = [plain(lane) for lane in chart.columns.lanes[shared.lanes : sizes.lanes]]
    return {
        "kept": list(shared),
        "names": chart.columns.names[shared.names : sizes.names],
        "lanes": lanes if len(lanes) < many else zlib.compress(json.dumps(lanes).encode(), 1),
        "count": count,
        "columns": [list(column) for column in columns] if sum(count) < many else packed(columns),
    }


def packed(columns: Iterable[Iterable[int]]) -> bytes:
    """Columns of whole numbers as few bytes.

    The differences from item to item, doubled, and one less if negative, are 8 bytes each, the lowest first.
    All first bytes come first, then all second bytes, and so on. Everything is deflated.
    """
    return zlib.compress(b"".join(_planes(column) for column in columns), 1)


def _planes(column: Iterable[int]) -> bytes:
    numbers = array("Q", _differences(column))
    if sys.byteorder == "big":
        numbers.byteswap()
    whole = numbers.tobytes()
    return b"".join(whole[index::8] for index in range(8))


def _differences(column: Iterable[int]) -> Iterator[int]:
    before = 0
    for number in column:
        difference, before = number - before, number
        yield 2 * difference if difference >= 0 else -2 * difference - 1
