"""Events, states, steps and reactions as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import numpy as np
import pandas as pd

from calamity_lab.frames.columns import (
    NOTHING,
    Kind,
    Piece,
    Rows,
    column,
    kind_of,
    labels,
    nullable,
    text,
    together,
)
from calamity_lab.frames.files import Exports, parts_of
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import a_list
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.schema import Field, field_names, fields_in
from calamity_lab.kernel.steps import Step
from calamity_lab.trace.trace import Trace
from calamity_lab.views.tables import (
    PendingRow,
    ReactionRow,
    StateAfterChange,
    StateAfterEvent,
    StepRow,
    change_rows,
    pending_row,
    reaction_rows,
    state_rows,
    step_row,
)

if TYPE_CHECKING:
    from pandas import DataFrame


_REPEATED = frozenset({"kind", "command", "command_type", "cause", "event_type", "verb", "trigger"})
"""The columns of texts that are categories, since few texts fill them."""


class TraceTable(Exports):
    """Rows of a trace as named tuples of one class, of which some have a ``state``, or a ``command``.

    The fields of the states follow the columns that all rows have. ``type_of`` names the field of a row that
    has the type of its state, and ``whole`` the field that has the state.
    """

    def __init__(self, rows: Sequence[Any], of: type, type_of: str = "", whole: str = "state") -> None:
        self._rows = rows
        self._of = of
        self._type_of = type_of
        self._whole = whole

    def to_pandas(self) -> DataFrame:
        """One row per row, with a column for each field of the states."""
        states = [
            (getattr(row, self._type_of), getattr(row, self._whole)) for row in self._rows if self._type_of
        ]
        columns = {
            name: _column(name, annotation, [getattr(row, name) for row in self._rows])
            for name, annotation in get_type_hints(self._of).items()
            if annotation is not Any and (name != self._type_of or name in _REPEATED)
        }
        return flat(columns, _groups(states), len(self._rows), self._whole)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict per row, with the fields of the state under ``state``, or those of the command."""
        for row in self._rows:
            found = row._asdict()
            if self._type_of:
                found[self._whole] = parts_of(found[self._whole])
            yield found


def step_table(steps: Iterable[Step]) -> TraceTable:
    """One row per step; `calamity_lab.views.tables.StepRow` has the columns."""
    given = a_list("step_table(steps)", steps, "lab.steps", of=Step)
    return TraceTable(tuple(map(step_row, given)), StepRow)


def pending_table(pending: Iterable[Pending]) -> TraceTable:
    """One row per pending command or deadline, with the fields of the command.

    `calamity_lab.views.tables.PendingRow` has the columns.
    """
    given = a_list("pending_table(pending)", pending, "lab.agenda.pending, or lab.deadlines", of=Pending)
    rows = tuple(pending_row(number, each) for number, each in enumerate(given))
    return TraceTable(rows, PendingRow, "command_type", "command")


def aggregate_table(
    trace: Trace, cursor: int | None = None, types: Mapping[str, type] | None = None
) -> TraceTable:
    """One row per event up to the cursor, with the fields of its aggregate's state after it.

    The fields get columns as those of events do, see `calamity_lab.frames.history.History.to_pandas`; so
    ``frame[frame.stream_id == "BankAccount-1"].plot("recorded_at", "balance")`` is the balance over time.
    ``types`` are the aggregate classes by name; events that are older than the trace are folded with them.
    """
    return TraceTable(state_rows(trace, cursor, types), StateAfterEvent, "aggregate")


def process_manager_table(trace: Trace, cursor: int | None = None) -> TraceTable:
    """One row per reaction of a process manager up to the cursor, with the fields of its state after it.

    `calamity_lab.views.tables.ReactionRow` has the other columns; what a column lists is separated by commas.
    """
    return TraceTable(reaction_rows(trace, cursor), ReactionRow, "process_manager")


def projection_table(trace: Trace, cursor: int | None = None) -> TraceTable:
    """One row per event up to the cursor and projection that it changed, with the state after it."""
    return TraceTable(change_rows(trace, cursor), StateAfterChange, "projection")


def _column(name: str, annotation: Any, values: list[Any]) -> Any:
    """The column of a field that all rows have, by its annotation."""
    if name in _REPEATED:
        return labels(values)
    if annotation == int | None:
        return nullable(values)
    if annotation == tuple[str, ...]:
        return text([", ".join(each) for each in values])
    kind = {int: "integer", datetime: "moment", datetime | None: "moment"}.get(annotation, "text")
    return column(Kind(kind), [Piece(slice(None), values)], len(values))


def _groups(states: Sequence[tuple[str, Any]]) -> list[Any]:
    """The states by type name and class, in order of appearance, without rows that have no state."""
    found: dict[tuple[str, type], list[int]] = {}
    for row, (name, state) in enumerate(states):
        if state is not None:
            found.setdefault((name, type(state)), []).append(row)
    return [
        _Group(name, np.array(rows, dtype=np.intp), [states[row][1] for row in rows])
        for (name, _), rows in found.items()
    ]


class _Group(NamedTuple):
    """Values of one class under one type name, and the rows that they fill."""

    type: str
    rows: Rows
    values: Sequence[Any]


class _Part(NamedTuple):
    """One field of one group."""

    type: str
    kind: Kind
    piece: Piece


def flat(known: Mapping[str, Any], groups: Iterable[_Group], length: int, whole: str) -> Any:
    """A DataFrame of the known columns, then a column for each field of the groups.

    Values without fields, such as numbers, have a column of their own under the name ``whole``.

    Fields of one name share a column if their values are of one kind. Otherwise, or if a known column has the
    name, each type has its own column, as ``FundsDeposited.amount``.
    """
    columns = dict(known)
    for name, parts in _by_field(groups, whole).items():
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


def _by_field(groups: Iterable[_Group], whole: str) -> dict[str, list[_Part]]:
    parts: dict[str, list[_Part]] = {}
    for group in groups:
        declared = {field.name: field.annotation for field in _declared(group.values)}
        for name, values in _fields(group.values, whole).items():
            kind = kind_of(values, declared.get(name))
            parts.setdefault(name, []).append(_Part(group.type, kind, Piece(group.rows, values)))
    return parts


def _kinds(parts: Sequence[_Part]) -> dict[str, Kind]:
    """The kind of column that each type needs for a field."""
    found: dict[str, list[Kind]] = {}
    for part in parts:
        found.setdefault(part.type, []).append(part.kind)
    return {type_name: together(kinds) for type_name, kinds in found.items()}


def _declared(values: Sequence[Any]) -> tuple[Field, ...]:
    return fields_in(type(values[0])) if len(values) else ()


def _fields(values: Sequence[Any], whole: str) -> dict[str, list[Any]]:
    """The values of each field, for values of one class; None where a value lacks the field."""
    names = field_names(type(values[0])) if len(values) else ()
    if names is None:
        rows = [parts_of(value) for value in values]
        if not all(isinstance(row, dict) for row in rows):
            return {whole: list(values)}
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


_BY_THE_KERNEL = ("command", "process_manager")
"""The metadata that the kernel adds to an event; the rest came with the submitted command."""


def recorded_frame(recorded: Sequence[RecordedEvent]) -> Any:
    """One row per event, by the rules of `History.to_pandas`."""
    length = len(recorded)
    types = _each(recorded, "event_type")
    metadata = _each(recorded, "metadata")
    known = {
        "position": _integers(recorded, "position"),
        "stream_id": text(_each(recorded, "stream_id")),
        "stream_version": _integers(recorded, "stream_version"),
        "event_type": labels(types),
        "event_id": text(_each(recorded, "event_id")),
        "correlation_id": text(_each(recorded, "correlation_id")),
        "causation_id": text(_each(recorded, "causation_id")),
        "recorded_at": _times(recorded),
        "command": labels([entries.get("command") for entries in metadata]),
        "process_manager": text([entries.get("process_manager") for entries in metadata]),
    }
    known |= _rest(metadata, length)
    return flat(known, _event_groups(types, _each(recorded, "event")), length, "event")


def _each(recorded: Sequence[RecordedEvent], name: str) -> list[Any]:
    return list(map(attrgetter(name), recorded))


def _integers(recorded: Sequence[RecordedEvent], name: str) -> Any:
    return np.fromiter(map(attrgetter(name), recorded), dtype=np.int64, count=len(recorded))


def _times(recorded: Sequence[RecordedEvent]) -> Any:
    return pd.DatetimeIndex(_each(recorded, "recorded_at"), dtype="datetime64[us, UTC]")


def _rest(metadata: Sequence[Mapping[str, Any]], length: int) -> dict[str, Any]:
    """Columns for further metadata, as in ``metadata.user``."""
    names = sorted({*chain.from_iterable(metadata)} - {*_BY_THE_KERNEL}, key=str)
    lists = {name: [entries.get(name) for entries in metadata] for name in names}
    return {
        f"metadata.{name}": column(kind_of(values), [Piece(slice(None), values)], length)
        for name, values in lists.items()
    }


def _event_groups(names: Sequence[str], events: Sequence[Any]) -> Iterator[_Group]:
    """The events by type name and class, in order of appearance."""
    classes = list(map(type, events))
    by_name, by_class = _codes(names), _codes(classes)
    pairs = by_name * (int(by_class.max(initial=0)) + 1) + by_class
    _, first, codes = np.unique(pairs, return_index=True, return_inverse=True)
    if len(first) == 1:
        yield _Group(names[0], slice(None), events)
        return
    every = np.fromiter(events, dtype=object, count=len(events))
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(codes))[:-1]) if len(first) else []
    for rows in sorted(groups, key=lambda rows: rows[0]):
        yield _Group(names[rows[0]], rows, every[rows].tolist())


def _codes(values: Sequence[Any]) -> Any:
    code = {value: n for n, value in enumerate(dict.fromkeys(values))}
    return np.fromiter(map(code.__getitem__, values), dtype=np.int64, count=len(values))
