"""What a trace holds up to a cursor, as DataFrames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from calamity_lab.trace.trace import Trace
from calamity_lab.views.tables import reaction_rows, state_rows, step_rows

if TYPE_CHECKING:
    from pandas import DataFrame

_STEPS = {
    "step": "integer",
    "kind": "label",
    "command": "label",
    "stream_id": "text",
    "depth": "integer",
    "cause": "label",
    "cause_position": "integer or missing",
    "sender": "text",
    "command_id": "text",
    "correlation_id": "text",
    "reason": "text",
    "fact": "text",
}
_STATES = {
    "position": "integer",
    "stream_id": "text",
    "stream_version": "integer",
    "event_type": "label",
    "moment": "integer",
    "recorded_at": "moment",
}
_REACTIONS = {
    "moment": "integer",
    "stream_id": "text",
    "verb": "label",
    "trigger": "label",
    "position": "integer or missing",
    "refusal": "text",
    "commands": "text",
}


def steps_to_pandas(trace: Trace, cursor: int | None = None) -> DataFrame:
    """One row a step up to the cursor (None: all); `calamity_lab.views.tables.StepRow` tells the columns."""
    from calamity_lab.frames.flat import flat

    rows = step_rows(trace, cursor)
    return flat(_columns(rows, _STEPS), (), len(rows))


def aggregates_to_pandas(
    trace: Trace, cursor: int | None = None, types: Mapping[str, type] | None = None
) -> DataFrame:
    """One row for each event up to the cursor: which, and the fields of its aggregate's state after it.

    The fields are flattened as those of events are, see `calamity_lab.frames.history.History.to_pandas`; so
    ``frame[frame.stream_id == "BankAccount-1"].plot("recorded_at", "balance")`` is the balance over time.
    ``types`` has the aggregate classes by name, to fold events that are older than the trace.
    """
    from calamity_lab.frames.flat import flat

    rows = state_rows(trace, cursor, types)
    groups = _groups([(row.aggregate, row.state) for row in rows])
    return flat(_columns(rows, _STATES), groups, len(rows))


def process_managers_to_pandas(trace: Trace, cursor: int | None = None) -> DataFrame:
    """One row for each reaction of a process manager up to the cursor, and the fields of its state after it.

    ``verb`` tells whether the instance was started, continued or stopped, or ignored the trigger;
    ``commands`` lists the types of the commands that it sent, separated by commas.
    """
    from calamity_lab.frames.flat import flat

    rows = reaction_rows(trace, cursor)
    known = [row._replace(commands=", ".join(row.commands)) for row in rows]  # type: ignore[arg-type]
    groups = _groups([(row.process_manager, row.state) for row in rows])
    return flat(_columns(known, _REACTIONS), groups, len(rows))


def _columns(rows: Sequence[Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    from calamity_lab.frames.columns import Piece, column, labels, nullable
    from calamity_lab.frames.kinds import Kind

    columns = {}
    for name, kind in kinds.items():
        values = [getattr(row, name) for row in rows]
        if kind == "label":
            columns[name] = labels(values)
        elif kind == "integer or missing":
            columns[name] = nullable(values)
        else:
            columns[name] = column(Kind(kind), [Piece(slice(None), values)], len(rows))
    return columns


def _groups(states: Sequence[tuple[str, Any]]) -> list[Any]:
    """The states by type name and class, in order of appearance; rows without a state belong to none."""
    import numpy as np

    from calamity_lab.frames.flat import Group

    places: dict[tuple[str, type], list[int]] = {}
    for place, (name, state) in enumerate(states):
        if state is not None:
            places.setdefault((name, type(state)), []).append(place)
    return [
        Group(name, np.array(rows, dtype=np.intp), [states[row][1] for row in rows])
        for (name, _), rows in places.items()
    ]
